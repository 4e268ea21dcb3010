"""The agent's tools as data: MCP, LangChain and the documents are made from this one list.

Schemas are flat: text and whole numbers, no `$ref`, no union, no nesting, because several clients drop a whole list of
tools over one nested schema. Order is part of the contract: a client may cache the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from mcp_wallet.contract.results import BudgetResult, PayeeList, PaymentList, PaymentResult
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.intent import MEMO_CHARACTERS_MAX, REFERENCE_CHARACTERS_MAX
from mcp_wallet.core.reasons import ReasonCode

AGENT_VERBS: Final = frozenset(
    {"send_payment", "check_budget", "simulate_payment", "get_payment", "list_payments", "list_payees"}
)
"""All that an agent may ever reach. Written out, not derived: a door that offers anything else refuses to start."""

TOOLSETS: Final = ("payments", "budget", "payees")
PAYMENTS_LISTED_MAX: Final = 100

Schema = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a tool.

    Args:
        text: What to send, for the model.
        default: Value when absent; None makes the argument required. Its type is the argument's.
        characters_max: Longest text, or 0 when the parser alone bounds it.
        at_least: Smallest whole number.
        at_most: Largest whole number.
    """

    name: str
    text: str
    default: str | int | None = None
    characters_max: int = 0
    at_least: int = 0
    at_most: int = 0

    def schema(self) -> Schema:
        """Return the JSON Schema of this argument."""
        found: Schema = {"type": "integer" if isinstance(self.default, int) else "string", "description": self.text}
        if self.characters_max:
            found["maxLength"] = self.characters_max
        if self.at_most:
            found |= {"minimum": self.at_least, "maximum": self.at_most}
        if self.default is not None:
            found["default"] = self.default
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One verb of the agent plane, with the four hints that clients act on (all are stated, none left to a default)."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    result: type[BaseModel]
    toolset: str
    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool

    def input_schema(self) -> Schema:
        """Return the JSON Schema of the arguments; unknown ones are refused."""
        return {
            "type": "object",
            "properties": {argument.name: argument.schema() for argument in self.arguments},
            "required": [argument.name for argument in self.arguments if argument.default is None],
            "additionalProperties": False,
        }

    def output_schema(self) -> Schema:
        """Return the JSON Schema of the result, without titles that only repeat the names."""
        full = self.result.model_json_schema()
        properties = {name: _untitled(schema) for name, schema in full["properties"].items()}
        return {
            "type": "object",
            "properties": properties,
            "required": full["required"],
            "additionalProperties": False,
        }


_PAYMENT: Final = (
    Argument(
        name="to",
        text="Whom to pay: best a name from list_payees, such as `alice`; else an address `0x…` in EIP-55 form.",
    ),
    Argument(
        name="amount",
        text='How much, in whole units of the asset, as decimal text: "12.50" is twelve and a half USDC. '
        "Not base units (12500000), no float, exponent, sign, comma or symbol.",
    ),
    Argument(name="asset", text="Symbol such as usdc or eth, or a CAIP-19 id.", default="usdc"),
    Argument(name="chain", text="Chain such as base. Leave empty when the agent pays on one chain only.", default=""),
    Argument(
        name="reference",
        text="What is being paid, such as an invoice or order number. One reference is paid once, ever.",
        default="",
        characters_max=REFERENCE_CHARACTERS_MAX,
    ),
    Argument(name="memo", text="Note for the operator's records.", default="", characters_max=MEMO_CHARACTERS_MAX),
    Argument(
        name="idempotency_key",
        text="Same key, same payment: send the key of the first call when you repeat it. A-Z a-z 0-9 . _ : -",
        default="",
        characters_max=64,
    ),
)

TOOLS: Final = (
    Tool(
        name="send_payment",
        title="Send payment",
        description=(
            "Pay now, within the limits that the operator set; a refusal comes back as a normal answer. "
            "Use it when a payment is due, with a `reference` that names the bill. "
            "Not for trying out amounts: use simulate_payment. "
            "Then read `status`: confirmed is paid; submitted and unknown may be paid, so ask get_payment, never send "
            "again; pending_approval waits for a person; denied stays denied until what the reason names has changed; "
            "failed paid nothing and may be sent again with the same reference. "
            'Example: {"to": "alice", "amount": "50.00", "reference": "refund 1234"}'
        ),
        arguments=_PAYMENT,
        result=PaymentResult,
        toolset="payments",
        read_only=False,
        destructive=True,
        idempotent=False,
        open_world=True,
    ),
    Tool(
        name="check_budget",
        title="Check budget",
        description=(
            "What this agent may still spend: limits, spent, held and remaining, in whole units of each asset. "
            "Use it before a payment that may be too large, not after each one: send_payment says what remains."
        ),
        arguments=(
            Argument(name="asset", text="Only this asset, such as usdc; empty for all.", default=""),
            Argument(name="chain", text="Only this chain, such as base; empty for all.", default=""),
        ),
        result=BudgetResult,
        toolset="budget",
        read_only=True,
        destructive=False,
        idempotent=True,
        open_world=False,
    ),
    Tool(
        name="simulate_payment",
        title="Simulate payment",
        description=(
            "The decision that send_payment would get for the same arguments; pays and reserves nothing. "
            "Use it once when you doubt that a payment is allowed. "
            "Not for searching for the limit: that is counted and reported; ask check_budget."
        ),
        arguments=_PAYMENT,
        result=PaymentResult,
        toolset="payments",
        read_only=True,
        destructive=False,
        idempotent=True,
        open_world=False,
    ),
    Tool(
        name="get_payment",
        title="Get payment",
        description=(
            "What became of one of your payments. Send exactly one of the three arguments. "
            "Use it after submitted, unknown or pending_approval, and whenever an answer was lost."
        ),
        arguments=(
            Argument(name="payment_id", text="The `payment_id` that send_payment gave.", default="", characters_max=64),
            Argument(
                name="reference",
                text="The reference that was sent.",
                default="",
                characters_max=REFERENCE_CHARACTERS_MAX,
            ),
            Argument(name="idempotency_key", text="The idempotency key that was sent.", default="", characters_max=64),
        ),
        result=PaymentResult,
        toolset="payments",
        read_only=True,
        destructive=False,
        idempotent=True,
        open_world=False,
    ),
    Tool(
        name="list_payments",
        title="List payments",
        description="Your own payments, newest first; the lists run in parallel. For one payment use get_payment.",
        arguments=(
            Argument(name="limit", text="How many.", default=20, at_least=1, at_most=PAYMENTS_LISTED_MAX),
            Argument(
                name="status",
                text="Only denied, pending_approval, submitted, unknown, confirmed or failed; empty for all.",
                default="",
            ),
        ),
        result=PaymentList,
        toolset="payments",
        read_only=True,
        destructive=False,
        idempotent=True,
        open_world=False,
    ),
    Tool(
        name="list_payees",
        title="List payees",
        description=(
            "The names that you may send as `to`. Use it before paying somebody by name; nobody can be added from here."
        ),
        arguments=(),
        result=PayeeList,
        toolset="payees",
        read_only=True,
        destructive=False,
        idempotent=True,
        open_world=False,
    ),
)


def parse_toolsets(text: str) -> frozenset[str]:
    """Return the groups named in a comma-separated list; all of them when it is empty.

    Raises:
        CallerError: `INTENT_INVALID` for a name that is none.
    """
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    if stray := sorted(names - frozenset(TOOLSETS)):
        known = ", ".join(TOOLSETS)
        raise CallerError(ReasonCode.INTENT_INVALID, f"No toolset is called `{stray[0][:80]}`: send some of {known}.")
    return names or frozenset(TOOLSETS)


def select_tools(*, toolsets: frozenset[str], read_only: bool) -> tuple[Tool, ...]:
    """Return the tools of these groups in their fixed order; with `read_only`, none that can pay."""
    return tuple(tool for tool in TOOLS if tool.toolset in toolsets and (tool.read_only or not read_only))


def _untitled(schema: Mapping[str, object]) -> Schema:
    return {key: part for key, part in schema.items() if key != "title"}
