"""The playground: the real wallet on play money, for `serve --dev`, the demo and the tests.

One home on the development chain with the refund policy: `alice` and `bob` may be paid, `mallory` is in the address
book but not on the policy's list, more than 500 USDC needs a person. Only rates and the keystore's cost are relaxed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mcp_wallet.control.agents import add_agent
from mcp_wallet.control.creation import OWNER, ChainOptions, HomeOptions
from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.control.policy_files import load_policy_file
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.roles import ALL_ROLES, Role
from mcp_wallet.wiring.creation import create_home
from mcp_wallet.wiring.opening import open_home

AGENT: Final = "refund-processor"
APPROVER: Final = "nora"
"""The second person of the playground: she approves what is too large for a rule."""
ENVIRONMENT: Final = "dev"
SCRYPT_N: Final = 2
WEI: Final = 10 * 10**18
USDC_UNITS: Final = 1_000_000 * 10**6
MAX_FEE_WEI: Final = 10**16
MAX_FEE_PER_DAY_WEI: Final = 10**19
RELAXED: Final = {"callsPerMinute": 100_000, "denialsPerHour": 100_000}

ALICE: Final = Address("0xa11ce00000000000000000000000000000000001")
BOB: Final = Address("0xb0b0000000000000000000000000000000000002")
MALLORY: Final = Address("0x3a110000000000000000000000000000000003ad")
PAYEES: Final = (
    Payee(name="alice", address=ALICE, category="refund"),
    Payee(name="bob", address=BOB, category="refund"),
    Payee(name="mallory", address=MALLORY),
)

POLICY: Final = """\
# The playground's policy: refunds in USDC to customers, a person for large ones, nothing else.
version: 1
id: refunds
disclosure: full
lists:
  customers: [alice, bob]
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: {list: customers}}
    perTransaction: {max: "1000.00"}
  - id: large-refund
    effect: requireApproval
    match: {assets: [usdc], amount: {gt: "500.00"}}
    approval: {quorum: 1, ttl: 1h}
limits:
  - id: agent-day
    match: {assets: [usdc]}
    maxAmount: "50000.00"
    window: {rolling: 24h}
    groupBy: [agent]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """A playground that stands: where it is and how to get in."""

    where: ProcessEnvironment
    org_id: str
    address: Address
    node: str
    verifier_key: str
    agent_key: str = field(repr=False)
    operator_token: str = field(repr=False)
    approver_token: str = field(repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """Return the names that a server of this home needs in its environment."""
        return {
            "MCP_WALLET_HOME": str(self.where.home),
            "MCP_WALLET_KEYS_DIR": str(self.where.keys_dir),
            "MCP_WALLET_STATE_DIR": str(self.where.state_dir),
            "MCP_WALLET_AGENT_KEY": self.agent_key,
        }


def playground_at(folder: Path) -> ProcessEnvironment:
    """Return the places of a playground: home, keys and checkpoints beside each other in one folder."""
    return ProcessEnvironment(home=folder / "home", keys_dir=folder / "keys", state_dir=folder / "state")


async def make_playground(
    folder: Path,
    *,
    node: str,
    policy: str = POLICY,
    limits: Mapping[str, int] | None = None,
    plaintext: bool = False,
    funded: bool = True,
    secret: bytes | None = None,
) -> Playground:
    """Return a new playground in a folder, on the development chain that answers at `node`.

    Args:
        policy: Text of the agent's policy.
        limits: Counts of `[limits]` beside the relaxed ones.
        funded: Whether the wallet gets ten coins and a million test dollars.
        secret: 32 bytes, the account's key; a fresh one when None.

    Raises:
        OwnerError: When a home stands there already, or the policy does not load.
        OutsideError: When the chain does not answer.
    """
    where = playground_at(folder)
    chain = ChainOptions(nodes=(node,), max_fee_wei=MAX_FEE_WEI, max_fee_per_day_wei=MAX_FEE_PER_DAY_WEI)
    made = await create_home(
        HomeOptions(
            where=where,
            environment=ENVIRONMENT,
            plaintext=plaintext,
            chains={"local": chain},
            limits={**RELAXED, **(limits or {})},
            payees=PAYEES,
            founders={OWNER: ALL_ROLES, APPROVER: frozenset({Role.APPROVER})},
            secret=secret,
            scrypt_n=SCRYPT_N,
        )
    )
    agent_key = await _add_agent(where, made.operator_token, policy)
    if funded:
        from mcp_wallet.devnet.client import fund  # noqa: PLC0415  the chain is an extra

        await fund(node, made.address, wei=WEI, usdc_units=USDC_UNITS)
    return Playground(
        where=where,
        org_id=made.settings.org_id,
        address=made.address,
        node=node,
        verifier_key=made.verifier_key,
        agent_key=agent_key,
        operator_token=made.operator_token,
        approver_token=made.operator_tokens[APPROVER],
    )


async def _add_agent(where: ProcessEnvironment, operator_token: str, policy: str) -> str:
    async with open_home(where) as home:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "refunds.yaml"
            path.write_text(policy)
            loaded = load_policy_file(path, registry=home.settings.registry, book=home.settings.book)
        agent = await add_agent(
            home.ledger,
            home.settings,
            name=AGENT,
            policy=loaded,
            category="refund",
            home_key=home.keys.home,
            actor=await home.ledger.operator(operator_token),
        )
    return agent.api_key
