"""Who calls: credentials against the agents in force, and how often."""

import hmac
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.credentials import credential_hash, parse_api_key
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import Agent
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Clock

MINUTE_MS: Final = 60_000


@dataclass(slots=True)
class Access:
    """Authenticates agents on the connection's thread; rates are per process.

    Args:
        sender: The home's account address.
    """

    state: LedgerState
    home_key: bytes
    clock: Clock
    sender: Address
    _calls: dict[str, deque[int]] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)

    def authenticate(self, api_key: str) -> tuple[Agent, CompiledPolicy, Settings]:
        """See `Ledger.authenticate`."""
        control, settings = self.state.control, self.state.control.settings
        parsed = parse_api_key(api_key)
        found = control.agents_by_key.get(parsed[1]) if parsed else None
        if settings is None or found is None or not hmac.compare_digest(found[1], self._hash(api_key)):
            raise CallerError(
                ReasonCode.CREDENTIAL_INVALID, "The agent key is missing or not valid here: ask the operator for one."
            )
        row = found[0]
        if row.disabled:
            raise CallerError(ReasonCode.CREDENTIAL_REVOKED, "This agent key was revoked: ask the operator.")
        if row.expires_at_ms is not None and self.clock() >= row.expires_at_ms:
            raise CallerError(ReasonCode.CREDENTIAL_EXPIRED, "This agent key has expired: ask the operator.")
        self._limit(row.agent_id, settings)
        policy = control.policies.get(row.policy_id)
        if policy is None:
            raise OwnerError(ReasonCode.POLICY_MISSING, "This agent has no active policy: ask the operator.")
        agent = Agent(
            org_id=settings.org_id,
            agent_id=row.agent_id,
            environment=settings.environment,
            sender=self.sender,
            chains=policy.chains,
            policy_hash=policy.hash,
            settings_hash=settings.hash,
            category=row.category,
        )
        return agent, policy, settings

    def _hash(self, api_key: str) -> str:
        if api_key not in self._hashes:
            self._hashes = {api_key: credential_hash(self.home_key, api_key)}
        return self._hashes[api_key]

    def _limit(self, agent_id: str, settings: Settings) -> None:
        now_ms = self.clock()
        calls = self._calls.setdefault(agent_id, deque())
        while calls and calls[0] <= now_ms - MINUTE_MS:
            calls.popleft()
        if len(calls) >= settings.calls_per_minute:
            raise CallerError(
                ReasonCode.RATE_LIMITED,
                f"More than {settings.calls_per_minute} calls within a minute: wait a minute, then go on.",
            )
        calls.append(now_ms)
