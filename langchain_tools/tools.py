"""The agent's six verbs as LangChain tools, made from the same definitions as over MCP.

Arguments are taken raw, so that every refusal is the wallet's own sentence and nothing that a model sent is dropped
without a word. A refusal of the policy is content; an accident is a `ToolException` that reads `CODE: sentence`.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol, runtime_checkable

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SkipValidation, create_model

from langchain_tools.loop import WalletLoop
from mcp_wallet import CallerError, ReasonCode
from mcp_wallet.contract.arguments import (
    Arguments,
    complete_arguments,
    parse_limit,
    parse_name,
    parse_payment_key,
    parse_status,
    payment_request,
)
from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.tools import TOOLS, Tool
from mcp_wallet.contract.wording import sentence_of, text_of

Answer = tuple[str, dict[str, Any]]
"""What the model reads, and every field of the result for the program around it."""

_DEFINITIONS: Final[Mapping[str, Tool]] = {tool.name: tool for tool in TOOLS}
_KEY_DOMAIN: Final = b"mcp-wallet/langchain-call/v1\n"


class Call(NamedTuple):
    """One tool call as it arrived; nothing in it is trusted.

    Args:
        call_id: The model's name for the call; empty when a program called without one.
        thread_id: LangGraph's name of the conversation; empty where there is none.
        task_id: LangGraph's name of the node's run, which a run that is repeated has again; empty outside of a graph.
    """

    arguments: object
    call_id: str
    thread_id: str = ""
    task_id: str = ""

    def placed(self, config: RunnableConfig | None) -> "Call":
        """Return the call with what its place in a graph says of it."""
        found = (config or {}).get("configurable", {})
        return self._replace(
            thread_id=str(found.get("thread_id", "")),
            task_id="" if self.call_id else str(found.get("checkpoint_ns", "")),
        )


@runtime_checkable
class WithDesk(Protocol):
    """A wallet that any loop may call, such as `mcp_wallet.PolicyWallet`."""

    @property
    def desk(self) -> Desk:
        """The agent's desk."""


def desk_of(wallet: Desk | WithDesk) -> tuple[Desk, WalletLoop]:
    """Return the agent's desk and where its calls run."""
    if isinstance(wallet, WithDesk):
        return wallet.desk, WalletLoop(anywhere=True)
    return wallet, WalletLoop()


class WalletTool(BaseTool):
    """One verb of a wallet; the classes below say which.

    Args:
        wallet: A `PolicyWallet`, or the agent's desk.
        loop: Shared by all tools of one wallet; a tool that stands alone has its own.
    """

    definition: ClassVar[Tool]

    name: str = ""
    description: str = ""
    wallet: SkipValidation[Desk | WithDesk] = Field(exclude=True, repr=False)
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    _desk: Desk = PrivateAttr()
    _loop: WalletLoop = PrivateAttr()

    def __init__(self, wallet: Desk | WithDesk, *, loop: WalletLoop | None = None, **options: Any) -> None:
        """Take name, description, schema and error handling from the definition, unless an option says otherwise."""
        tool = self.definition
        made = {"name": tool.name, "description": tool.description, "args_schema": tool.input_schema()}
        super().__init__(wallet=wallet, **{**made, "handle_tool_error": True, **options})
        self._desk, own = desk_of(wallet)
        self._loop = loop or own

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:  # noqa: ARG002  LangChain's signature
        """Return a model with the schema that a chat model is shown; the values are the wallet's to judge."""
        return _model_of(self.definition)

    @abstractmethod
    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:
        """Return what the desk says to complete, still untrusted arguments."""

    def _parse_input(self, tool_input: object, tool_call_id: str | None) -> dict[str, Any]:
        """Return the call as it is: LangChain's validator would answer in its own words."""
        return {"call": Call(tool_input, tool_call_id or "")}

    def _run(self, call: Call, config: RunnableConfig) -> Answer:
        with _accidents_told():
            return self._loop.call(self._answer(call.placed(config)))

    async def _arun(self, call: Call, config: RunnableConfig) -> Answer:
        with _accidents_told():
            return await self._loop.acall(self._answer(call.placed(config)))

    async def _answer(self, call: Call) -> Answer:
        try:
            arguments = complete_arguments(self.definition, _named(call.arguments))
        except CallerError as error:
            await self._desk.refused(error.code)
            raise
        result = await self._ask(arguments, call)
        return text_of(result), result.model_dump(mode="json")


class SendPaymentTool(WalletTool):
    """Pays, or says why not; the same call never pays twice, however often it is run."""

    definition = _DEFINITIONS["send_payment"]

    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:
        return await self._desk.send_payment(payment_request(_keyed(arguments, call)))


class SimulatePaymentTool(WalletTool):
    """Returns the decision that `send_payment` would get; nothing is reserved."""

    definition = _DEFINITIONS["simulate_payment"]

    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:
        return await self._desk.simulate_payment(payment_request(_keyed(arguments, call)))


class CheckBudgetTool(WalletTool):
    """Returns what may still be spent, as far as the policy discloses it."""

    definition = _DEFINITIONS["check_budget"]

    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:  # noqa: ARG002  only payments look at the call
        asset, chain = (parse_name(field, arguments[field]) for field in ("asset", "chain"))
        return await self._desk.check_budget(asset=asset, chain=chain)


class GetPaymentTool(WalletTool):
    """Returns one of the agent's own payments."""

    definition = _DEFINITIONS["get_payment"]

    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:  # noqa: ARG002  only payments look at the call
        return await self._desk.get_payment(**parse_payment_key(arguments))


class ListPaymentsTool(WalletTool):
    """Returns the agent's own payments, newest first."""

    definition = _DEFINITIONS["list_payments"]

    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:  # noqa: ARG002  only payments look at the call
        limit, status = parse_limit(arguments["limit"]), parse_status(arguments["status"])
        return await self._desk.list_payments(limit=limit, status=status)


class ListPayeesTool(WalletTool):
    """Returns the names that the agent's policy can pay."""

    definition = _DEFINITIONS["list_payees"]

    async def _ask(self, arguments: Arguments, call: Call) -> BaseModel:  # noqa: ARG002  only payments look at the call
        return await self._desk.list_payees()


def _keyed(arguments: Arguments, call: Call) -> Arguments:
    """Return the arguments with a key that a repetition of the same call has again, when nothing else names it.

    LangGraph runs a node again after an interrupt, and retry middleware runs a tool again; both repeat thread, call and
    arguments. A call id alone names nothing: models use `call_1` again for something else. A node that calls with bare
    arguments has no call id; the name of its run stands in, and equal calls of one run are one payment.
    """
    which = call.call_id or (call.task_id and f"in {call.task_id}")
    if arguments["idempotency_key"] or arguments["reference"] or not which:
        return arguments
    named = {name: str(argument) for name, argument in arguments.items() if isinstance(argument, str | int)}
    identity = json.dumps([call.thread_id, which, named], sort_keys=True).encode()
    return {**arguments, "idempotency_key": "lc-" + hashlib.sha256(_KEY_DOMAIN + identity).hexdigest()[:48]}


def _named(arguments: object) -> Arguments:
    if not isinstance(arguments, Mapping):
        raise CallerError(ReasonCode.INTENT_INVALID, "Send the arguments by name, as one object.")
    return arguments


@contextmanager
def _accidents_told() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001  the door's outermost line
        raise ToolException(sentence_of(error)) from None


def _model_of(tool: Tool) -> type[BaseModel]:
    def show(schema: dict[str, Any]) -> None:
        schema.clear()
        schema.update(tool.input_schema())

    fields: dict[str, Any] = {
        argument.name: (object, ... if argument.default is None else argument.default) for argument in tool.arguments
    }
    return create_model(tool.name, __config__=ConfigDict(extra="forbid", json_schema_extra=show), **fields)
