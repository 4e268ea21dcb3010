"""What the tests with real agents share: a model that follows a script, and a wallet as a program has it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig

from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.results import PaymentResult
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.python.desk import ThreadedDesk
from mcp_wallet.payments.desk import AgentDesk
from tests.conformance.langchain_door import call_of, desk_at
from tests.fakechain import FakeChain, FakeSigner
from tests.worlds import SteppedClock, ledger_world


class ScriptedModel(BaseChatModel):
    """Says the n-th line of its script as the n-th answer of a conversation, however often that is run again."""

    script: tuple[AIMessage, ...]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        said = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self.script[said])])


def asks(*payments: dict[str, Any], calls_from: int = 1) -> AIMessage:
    """A model's turn that calls `send_payment`, once for each."""
    calls = [call_of("send_payment", payment, f"call_{calls_from + n}") for n, payment in enumerate(payments)]
    return AIMessage("", tool_calls=calls)


def says(text: str) -> AIMessage:
    return AIMessage(text)


def thread(name: str = "refunds-7") -> RunnableConfig:
    return {"configurable": {"thread_id": name}}


@dataclass
class AgentWorld:
    """A wallet as a program has it: callable from anywhere, over the real ledger and gates.

    Args:
        lost: How many answers of `send_payment` are lost on their way, after the payment.
    """

    chain: FakeChain = field(default_factory=FakeChain)
    signer: FakeSigner = field(default_factory=FakeSigner)
    lost: int = 0
    clock: SteppedClock = field(default_factory=SteppedClock)
    desk: ThreadedDesk = field(init=False)

    @property
    def paid(self) -> int:
        """Transactions on the chain."""
        return len(self.chain.mined)


class LosingDesk(AgentDesk):
    """Pays, and loses its answer as often as its world says."""

    world: AgentWorld

    async def send_payment(self, request: PaymentRequest, **rest: Any) -> PaymentResult:
        answer = await AgentDesk.send_payment(self, request, **rest)
        if self.world.lost:
            self.world.lost -= 1
            raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The ledger did not answer: ask get_payment.")
        return answer


@asynccontextmanager
async def agent_world(folder: Path, *, lost: int = 0) -> AsyncIterator[AgentWorld]:
    """Give a wallet whose agent may pay alice and bob."""
    made = AgentWorld(lost=lost)
    closing: list[Callable[[], Any]] = []

    async def opened() -> Desk:
        world = await ledger_world(folder / "ledger.db", sender=made.signer.address, clock=made.clock)
        closing.append(world.ledger.close)
        plain = desk_at(world, made.chain, made.signer)
        return _losing(plain, made)

    async def close() -> None:
        for each in closing:
            await each()

    made.desk = ThreadedDesk(opened, close)
    try:
        yield made
    finally:
        await made.desk.aclose()


def _losing(plain: AgentDesk, world: AgentWorld) -> Desk:
    desk = LosingDesk(**{name: getattr(plain, name) for name in AgentDesk.__dataclass_fields__})
    object.__setattr__(desk, "world", world)
    return desk
