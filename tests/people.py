"""People in a ledger, for tests: operators with every role, or with the roles that a test names."""

from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.roles import ALL_ROLES, Role
from mcp_wallet.ports import Actor
from tests.worlds import SYSTEM


async def people(ledger: SqliteLedger, *names: str, roles: frozenset[Role] = ALL_ROLES) -> tuple[Actor, ...]:
    """Return founders of these names, created in the ledger."""
    for name in names:
        person = Person(name=name, roles=roles, token_id=f"id{name}", since_ms=0, is_founder=True)
        await ledger.add_operator(person, token_hash="", actor=SYSTEM)
    return tuple(Actor(kind="operator", name=name) for name in names)
