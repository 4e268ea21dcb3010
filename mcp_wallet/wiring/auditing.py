"""Opening a home for an auditor: a snapshot that cannot write, the anchors, and, after the reading, one event.

The ledger may be damaged: nothing here needs more of it than the question does.
"""

import getpass
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from mcp_wallet.control.audit.checkpoints import AnchorNotes
from mcp_wallet.control.audit.prove import head_of
from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.control.home import HomeKeys, HomePaths, load_key, load_keys, load_source, locate
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings_source import parse_settings
from mcp_wallet.payments.anchoring import Notary, check_rollback
from mcp_wallet.ports import Actor, Head


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRoom:
    """A home as an auditor has it.

    Args:
        anchors: What the places outside the home hold, read before the snapshot was taken.
    """

    environment: ProcessEnvironment
    paths: HomePaths
    keys: HomeKeys
    trail: Trail
    anchors: tuple[AnchorNotes, ...]

    async def signed_head(self) -> tuple[Head, str]:
        """Return the snapshot's head and its signed checkpoint.

        Raises:
            OwnerError: `ROLLBACK_DETECTED`: an anchor has seen another history, so this one is not signed.
            ProofInvalid: The tree has a hole.
        """
        notary, head = notary_at(self.paths), head_of(self.trail)

        async def root(size: int) -> bytes:
            return head_of(self.trail, size).root

        newest = [(anchor.name, _newest_of(anchor, notary.origin)) for anchor in self.anchors]
        rollback = await check_rollback(head, root, newest, notary.verifier_key)
        if rollback is not None:
            raise OwnerError(ReasonCode.ROLLBACK_DETECTED, rollback.message)
        return head, notary.note(head)

    async def record_access(self, query: str, details: Mapping[str, Json]) -> None:
        """Append the one event of this query; call it after the reading.

        Raises:
            CallerError: `CREDENTIAL_INVALID` when an operator token is given that nobody holds.
            OutsideError: When the ledger did not take it.
        """
        from mcp_wallet.adapters.clock import wall_clock  # noqa: PLC0415
        from mcp_wallet.adapters.sqlite.ledger import SqliteLedger  # noqa: PLC0415

        ledger = await SqliteLedger.open(
            self.paths.ledger, database_key=self.keys.database, home_key=self.keys.home, clock=wall_clock
        )
        try:
            token = self.environment.operator_token
            actor = (
                await ledger.operator(token, Verb.AUDIT)
                if token
                else Actor(kind="system", name=f"user {getpass.getuser()}")
            )
            await ledger.record("audit_accessed", {"query": query, **details}, actor=actor)
        finally:
            await ledger.close()


@asynccontextmanager
async def open_audit(environment: ProcessEnvironment) -> AsyncIterator[AuditRoom]:
    """Give the home at `environment.home` to an auditor.

    Raises:
        OwnerError: As `wiring.opening.open_home`.
        OutsideError: When an anchor cannot be read.
    """
    from mcp_wallet.adapters.anchors.file import FileAnchor  # noqa: PLC0415
    from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail  # noqa: PLC0415

    paths = locate(environment)
    keys = load_keys(paths, environment)
    file = FileAnchor(paths.checkpoints)
    anchors = (AnchorNotes(name=file.name, notes=await file.history()),)  # before the snapshot: servers may publish
    trail = SqliteTrail(paths.ledger, key=keys.database)
    try:
        yield AuditRoom(environment=environment, paths=paths, keys=keys, trail=trail, anchors=anchors)
    finally:
        trail.close()


@contextmanager
def open_trail(paths: HomePaths, keys: HomeKeys) -> Iterator[Trail]:
    """Give one snapshot of a home's trail; synchronous, on the thread that opens it."""
    from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail  # noqa: PLC0415

    trail = SqliteTrail(paths.ledger, key=keys.database)
    try:
        yield trail
    finally:
        trail.close()


def notary_at(paths: HomePaths) -> Notary:
    """Return what signs the checkpoints of the home, named as `wallet.toml` says, without opening its ledger."""
    from mcp_wallet.adapters.log_key import LogKey  # noqa: PLC0415  cryptography

    key = LogKey(load_key(paths.log_key))
    return Notary(parse_settings(load_source(paths.settings), (), "0").origin, key.sign, key.public_key)


def _newest_of(anchor: AnchorNotes, origin: str) -> str:
    return next((note for note in reversed(anchor.notes) if note.startswith(f"{origin}\n")), "")
