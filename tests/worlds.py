"""Small worlds for tests and benchmarks: settings, a policy, an agent, a ledger on a real file."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.credentials import credential_hash, format_api_key
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import Agent, PaymentRequest
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.resolve import resolve_policy
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_source import parse_settings
from mcp_wallet.ports import Actor, AgentRow

ALICE = Address("0x" + "a1" * 20)
BOB = Address("0x" + "b0" * 20)
MALLORY = Address("0x" + "66" * 20)
SENDER = Address("0x" + "5e" * 20)
LOCAL = ChainId("eip155:31337")
NOW_MS = 1_780_000_000_000
OPERATOR = Actor(kind="operator", name="owner")
SYSTEM = Actor(kind="system", name="init")
PAYEES = (
    Payee(name="alice", address=ALICE),
    Payee(name="bob", address=BOB),
    Payee(name="mallory", address=MALLORY),
)

REFUND_POLICY = """
version: 1
id: refunds
disclosure: full
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: [alice, bob]}
    perTransaction: {max: "1000.00"}
  - id: large
    effect: requireApproval
    match: {assets: [usdc], amount: {gt: "500.00"}}
    approval: {quorum: 1, approvers: [owner], ttl: 1h}
limits:
  - id: agent-day
    match: {assets: [usdc]}
    maxAmount: "50000.00"
    window: {rolling: 24h}
    groupBy: [agent]
"""


class SteppedClock:
    """A wall clock that moves when the test says so."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, milliseconds: int) -> None:
        """Move on (or back)."""
        self.now_ms += milliseconds


def wall_clock() -> int:
    """Return the real time."""
    return time.time_ns() // 1_000_000


def settings(chains: Mapping[str, object] | None = None, /, *, solo: bool = True, **limits: int) -> Settings:
    """Return the settings of a plaintext test home, on the development chain unless told otherwise."""
    source: dict[str, object] = {
        "orgId": "org_test",
        "logId": "log1",
        "environment": "test",
        "solo": solo,
        "plaintext": True,
        "chains": chains
        or {
            "local": {
                "nodes": ["http://127.0.0.1:1"],
                "maxFeeWei": str(10**16),
                "maxFeePerDayWei": str(10**18),
                "trustSingleNode": True,
            }
        },
        "limits": {"callsPerMinute": 1_000_000, "pendingMax": 5, "denialsPerHour": 1_000_000} | limits,
    }
    return parse_settings(source, PAYEES, "1")


def policy_document(text: str, active: Settings) -> dict[str, Json]:
    """Return the resolved document of a policy text."""
    policy = load_policy(text, name="policy.yaml", registry=active.registry, book=active.book)
    return resolve_policy(policy, registry=active.registry, book=active.book, read_list=lambda name: "")


@dataclass(frozen=True)
class LedgerWorld:
    """A ledger with one agent under one policy."""

    ledger: SqliteLedger
    settings: Settings
    policy: CompiledPolicy
    agent: Agent
    api_key: str
    path: Path
    home_key: bytes
    clock: Any = None

    @property
    def registry(self) -> Registry:
        """The chains and assets."""
        return self.settings.registry

    @property
    def book(self) -> AddressBook:
        """The payees."""
        return self.settings.book

    def request(self, reference: str = "", *, to: str = "alice", amount: str = "1.00", **rest: Any) -> PaymentRequest:
        """Return a request of the agent."""
        return PaymentRequest(to=to, amount=amount, reference=reference, **rest)


async def ledger_world(
    path: Path,
    *,
    policy: str = REFUND_POLICY,
    database_key: bytes | None = None,
    clock: Callable[[], int] = wall_clock,
    sender: Address = SENDER,
    home_key: bytes | None = None,
    active: Settings | None = None,
    solo: bool = True,
    **limits: int,
) -> LedgerWorld:
    """Return a new ledger with the agent `refund-processor`, whose owner is `owner`."""
    home_key = home_key or secrets.token_bytes(32)
    active = active or settings(solo=solo, **limits)
    ledger = await SqliteLedger.create(path, database_key=database_key, home_key=home_key, clock=clock, sender=sender)
    return await populated(ledger, path, home_key=home_key, clock=clock, policy=policy, active=active)


async def populated(
    ledger: SqliteLedger,
    path: Path,
    *,
    home_key: bytes,
    clock: Callable[[], int],
    policy: str = REFUND_POLICY,
    active: Settings | None = None,
) -> LedgerWorld:
    """Return the world of an empty ledger, with settings, a policy and the agent `refund-processor`."""
    active = active or settings()
    maker = OPERATOR if active.solo else SYSTEM
    await ledger.apply_settings(active, actor=maker)
    document = policy_document(policy, active)
    digest = await ledger.activate_policy(str(document["id"]), document, actor=maker)
    api_key = format_api_key("test", "k1", secrets.token_bytes(32))
    row = AgentRow(
        agent_id="refund-processor",
        policy_id=str(document["id"]),
        policy_hash=digest,
        category="refund",
        key_id="k1",
        created_at_ms=clock(),
        expires_at_ms=None,
        disabled=False,
        owner=OPERATOR.name,
    )
    await ledger.add_agent(row, secret_hash=credential_hash(home_key, api_key), actor=maker)
    agent, compiled, _ = await ledger.authenticate(api_key)
    return LedgerWorld(ledger, active, compiled, agent, api_key, path, home_key, clock)


async def reopen(
    world: LedgerWorld, *, clock: Callable[[], int] = wall_clock, database_key: bytes | None = None
) -> SqliteLedger:
    """Return a second connection to the world's ledger, as another process would have it."""
    return await SqliteLedger.open(
        world.path, database_key=database_key, home_key=world.home_key, clock=clock, sender=world.agent.sender
    )


def compiled(text: str, active: Settings) -> CompiledPolicy:
    """Return a policy text compiled under the settings."""
    return compile_policy(policy_document(text, active), version="1", settings=active)


def payment(**changes: Any) -> Payment:
    """Return a payment of one dollar to alice."""
    fields: dict[str, Any] = {
        "agent": "refund-processor",
        "operation": "transfer",
        "chain": LOCAL,
        "asset": AssetId("eip155:31337/erc20:0x700b6a60ce7eaaea56f065753d8dcb9653dbad35"),
        "to": ALICE,
        "category": "refund",
        "amount_units": 1_000_000,
        "at_ms": NOW_MS,
    }
    return Payment(**(fields | changes))
