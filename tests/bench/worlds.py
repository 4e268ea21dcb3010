"""Worlds of a given size for the pure gate."""

from dataclasses import dataclass

from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.intent import Agent, PaymentRequest
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.resolve import resolve_policy
from tests.worlds import LOCAL, NOW_MS, SENDER, payment, settings

LISTED = "0x" + "c0" * 18


@dataclass(frozen=True)
class GateWorld:
    """A policy with so many rules over a list of so many addresses, and a payment that one rule admits."""

    policy: CompiledPolicy
    request: PaymentRequest
    agent: Agent
    registry: Registry
    book: AddressBook
    payment: Payment
    now_ms: int = NOW_MS


def gate_world(*, rules: int, listed: int) -> GateWorld:
    """Return a world whose every rule is of another agent and names the same list."""
    active = settings()
    text = (
        "version: 1\nid: bench\nlists: {known: {file: known.txt}}\nrules:\n"
        + "".join(
            f"  - {{id: rule-{i}, effect: allow, match: {{agents: [agent-{i}], chains: [local], assets: [usdc], "
            f'recipients: {{list: known}}}}, perTransaction: {{max: "1000.00"}}}}\n'
            for i in range(rules)
        )
        + 'limits:\n  - {id: day, match: {assets: [usdc]}, maxAmount: "50000.00", window: {rolling: 24h}, '
        "groupBy: [agent]}\n"
    )
    addresses = "\n".join("0x" + f"{i + 0x1000:040x}" for i in range(listed))
    policy = load_policy(text, name="bench.yaml", registry=active.registry, book=active.book)
    document = resolve_policy(policy, registry=active.registry, book=active.book, read_list=lambda _: addresses)
    to = "0x" + f"{listed // 2 + 0x1000:040x}"
    return GateWorld(
        policy=compile_policy(document, version="1", settings=active),
        request=PaymentRequest(to=to, amount="12.50", reference="invoice 4711", memo="thank you"),
        agent=Agent(
            org_id="org_test",
            agent_id="agent-1",
            environment="test",
            sender=SENDER,
            chains=(LOCAL,),
            policy_hash="",
        ),
        registry=active.registry,
        book=active.book,
        payment=payment(agent="agent-1", to=to, amount_units=12_500_000),
    )
