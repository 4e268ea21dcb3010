"""`policy explain`: how a payment would be decided now, by what the ledger holds, and what would change it."""

from mcp_wallet.control.oversight import OperatorLedger, agent_of, compiled_policy
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.explain import Explanation
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings


async def explain_payment(
    ledger: OperatorLedger,
    settings: Settings,
    request: PaymentRequest,
    *,
    sender: Address,
    agent_id: str = "",
    candidate: CompiledPolicy | None = None,
) -> Explanation:
    """Return the explanation; nothing is recorded, reserved or counted.

    Args:
        agent_id: Whose payment; the home's only agent when empty.
        candidate: A policy to decide by in place of the one in force.

    Raises:
        CallerError: For an agent that nobody has, or a payment that cannot be read.
        OwnerError: `POLICY_MISSING` when the agent has no policy in force.
    """
    rows = [row for row in await ledger.agents() if agent_id in ("", row.agent_id)]
    if len(rows) != 1:
        sentence = f"No agent is called `{agent_id[:64]}`." if agent_id else "Say whose payment it is: --agent NAME."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence)
    row = rows[0]
    policy = compiled_policy(await ledger.active_policies(), row.policy_id, settings)
    if policy is None:
        raise OwnerError(ReasonCode.POLICY_MISSING, f"Agent `{row.agent_id}` has no policy in force.")
    agent = agent_of(row, candidate or policy, settings, sender)
    draft = parse_request(request, agent=agent, registry=settings.registry, book=settings.book)
    return await ledger.explain(draft, policy=candidate)
