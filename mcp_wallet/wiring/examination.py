"""Looking a home over for `doctor`: each check stands alone, so that one that fails hides no other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.control.health import Check, Verdict
from mcp_wallet.control.home import OPEN_TO_OTHERS, HomePaths, differing_settings, locate
from mcp_wallet.core.errors import OutsideError, WalletError
from mcp_wallet.core.identifiers import checksum_address
from mcp_wallet.core.settings import Settings
from mcp_wallet.payments.anchoring import EVENTS_MAX, check_rollback
from mcp_wallet.wiring.chain_examination import examine_chains
from mcp_wallet.wiring.opening import OpenHome, anchors_of, notary_of, open_home
from mcp_wallet.wiring.surroundings import places

NAMES_SHOWN: Final = 10
MAKE_A_HOME: Final = "mcp-wallet init"


async def examine(environment: ProcessEnvironment) -> list[Check]:
    """Return every finding about the home at `environment.home`; never raises for what is wrong with it."""
    if not (environment.home / "wallet.toml").exists():
        return [_no_home(environment)]
    try:
        paths = locate(environment)
    except WalletError as error:
        return [_broken("home", error, "put wallet.toml right, from your copy of the home")]
    checks = [places(paths), _permissions(paths)]
    try:
        async with open_home(environment) as home:
            checks += [_ledger(home), _approved(home), await _trail(home), await _signer(home)]
            checks += [
                *_modes(home.settings),
                *await _people(home),
                await _freezes(home),
                _payees(home.settings),
                await _agents(home),
            ]
            checks += [*await _agent_key(home, environment), *await examine_chains(home.settings, home.signer.address)]
    except WalletError as error:
        checks.append(_broken("ledger", error, "restore the keys folder of this home"))
    return checks


def _no_home(environment: ProcessEnvironment) -> Check:
    sentence = f"There is no wallet in {environment.home} yet; to try one on play money, none is needed."
    return Check(name="home", verdict=Verdict.FAILED, sentence=sentence, mend=MAKE_A_HOME)


def _permissions(paths: HomePaths) -> Check:
    wrong = [path.name for path in _private(paths) if path.exists() and path.stat().st_mode & OPEN_TO_OTHERS]
    if wrong:
        return Check(
            name="permissions",
            verdict=Verdict.FAILED,
            sentence=f"Other users can reach {', '.join(wrong)}.",
            mend="chmod 700 on folders, chmod 600 on files",
        )
    return Check(name="permissions", verdict=Verdict.OK, sentence="Home and keys are closed to other users.")


def _private(paths: HomePaths) -> Iterator[Path]:
    yield from (paths.home, paths.keys, paths.ledger, paths.keystore)
    yield from (paths.database_key, paths.home_key, paths.log_key, paths.keystore_password)


def _ledger(home: OpenHome) -> Check:
    if home.keys.database is not None:
        return Check(name="ledger", verdict=Verdict.OK, sentence="The ledger opens and is encrypted.")
    return Check(
        name="ledger",
        verdict=Verdict.NOTICE,
        sentence="The ledger opens and is PLAINTEXT: whoever copies the file reads it; each decision says so.",
        mend="mcp-wallet init without --plaintext, in a new home",
    )


def _approved(home: OpenHome) -> Check:
    try:
        changed = differing_settings(home.paths, home.settings)
    except WalletError as error:
        return _broken("settings", error, "put wallet.toml back")
    if changed:
        return Check(
            name="settings",
            verdict=Verdict.FAILED,
            sentence=f"wallet.toml differs from what is in force in {', '.join(changed)}: servers refuse to start.",
            mend="mcp-wallet config propose, or put wallet.toml back (mcp-wallet config show prints what is in force)",
        )
    return Check(
        name="settings", verdict=Verdict.OK, sentence=f"Settings version {home.settings.version} are as approved."
    )


async def _trail(home: OpenHome) -> Check:
    """Compare the trail's head with every anchor."""
    try:
        notary = notary_of(home.paths, home.settings)
        notes = [(anchor.name, await anchor.newest()) for anchor in anchors_of(home.paths)]
        head = await home.ledger.head()
        rollback = await check_rollback(head, home.ledger.root_at, notes, notary.verifier_key)
    except WalletError as error:
        return _broken("trail", error, "restore the keys folder, or the checkpoint file's permissions")
    if rollback is not None:
        return Check(name="trail", verdict=Verdict.INTEGRITY, sentence=rollback.message, mend="mcp-wallet audit verify")
    if not all(note for _, note in notes):
        return Check(
            name="trail",
            verdict=Verdict.FAILED,
            sentence="The checkpoint file outside the home is gone: an older copy of the home would not be noticed.",
            mend="mcp-wallet audit verify, then start a server: it publishes again",
        )
    return _anchored(head.size, notes)


def _anchored(events: int, notes: Sequence[tuple[str, str]]) -> Check:
    """Return how far the anchors are; their notes are of this log and fit the ledger."""
    sizes = [(name, int(note.split("\n")[1])) for name, note in notes]
    held = ", ".join(f"{name} has seen {size}" for name, size in sizes)
    late = events - min(size for _, size in sizes) > EVENTS_MAX
    return Check(
        name="trail",
        verdict=Verdict.NOTICE if late else Verdict.OK,
        sentence=f"The trail has {events} events and contains all that the anchors hold: {held}.",
        mend="start a server: it publishes a checkpoint to every anchor" if late else "",
    )


async def _signer(home: OpenHome) -> Check:
    unlock = getattr(home.signer, "unlock", None)
    try:
        if unlock is not None:
            await unlock()
    except WalletError as error:
        return _broken("signer", error, "restore keystore.password, or set MCP_WALLET_KEYSTORE_PASSWORD")
    kind = "an unlocked keystore" if unlock is not None else "a key from the environment (development only)"
    verdict = Verdict.OK if unlock is not None else Verdict.NOTICE
    return Check(name="signer", verdict=verdict, sentence=f"{checksum_address(home.signer.address)} by {kind}.")


def _modes(settings: Settings) -> Iterator[Check]:
    if settings.solo:
        yield Check(
            name="people",
            verdict=Verdict.NOTICE,
            sentence="This home is solo: one person proposes and approves, and each event says so.",
        )
    for chain_id, chain in settings.chains.items():
        if chain.trust_single_node:
            name = settings.registry.chain(chain_id).name
            yield Check(
                name=f"evidence {name}",
                verdict=Verdict.NOTICE,
                sentence=f"On {name} one node's word frees budget (trustSingleNode).",
            )


async def _people(home: OpenHome) -> list[Check]:
    """Return who runs a home of several people, and what waits for them."""
    waiting = len(await home.ledger.approval_requests()) + len(await home.ledger.changes(open_only=True))
    checks = []
    if not home.settings.solo:
        people = [f"{p.name} ({', '.join(sorted(p.roles))})" for p in await home.ledger.operators() if not p.disabled]
        sentence = f"{', '.join(people)}; what loosens needs two of them."
        checks.append(Check(name="people", verdict=Verdict.OK, sentence=sentence))
    if waiting:
        sentence = f"{waiting} payments or proposals wait for a person."
        mend = "mcp-wallet approvals list"
        checks.append(Check(name="waiting", verdict=Verdict.NOTICE, sentence=sentence, mend=mend))
    return checks


async def _freezes(home: OpenHome) -> Check:
    frozen = [f"{kind} {value}".strip() for kind, value, _ in await home.ledger.freezes()]
    if frozen:
        return Check(
            name="freezes",
            verdict=Verdict.NOTICE,
            sentence=f"Frozen: {', '.join(frozen)}.",
            mend="mcp-wallet unkill --reason …",
        )
    return Check(name="freezes", verdict=Verdict.OK, sentence="Nothing is frozen.")


def _payees(settings: Settings) -> Check:
    names = [payee.name for payee in settings.book.payees]
    if not names:
        return Check(
            name="payees",
            verdict=Verdict.NOTICE,
            sentence="The address book is empty: an agent would have to type addresses.",
            mend="mcp-wallet payee add NAME ADDRESS",
        )
    shown = ", ".join(names[:NAMES_SHOWN]) + ("" if len(names) <= NAMES_SHOWN else ", …")
    return Check(name="payees", verdict=Verdict.OK, sentence=f"{len(names)} in the address book: {shown}.")


async def _agent_key(home: OpenHome, environment: ProcessEnvironment) -> list[Check]:
    """Return whose key stands in the environment, where one does."""
    if not environment.agent_key:
        return []
    try:
        agent, _, _ = await home.ledger.authenticate(environment.agent_key)
    except WalletError as error:
        return [_broken("agent key", error, "mcp-wallet agent add NAME --policy FILE prints a new one")]
    sentence = f"MCP_WALLET_AGENT_KEY is the key of {agent.agent_id}."
    return [Check(name="agent key", verdict=Verdict.OK, sentence=sentence)]


async def _agents(home: OpenHome) -> Check:
    agents = await home.ledger.agents()
    if not agents:
        return Check(
            name="agents",
            verdict=Verdict.NOTICE,
            sentence="No agent has a key.",
            mend="mcp-wallet agent add NAME --policy FILE",
        )
    return Check(name="agents", verdict=Verdict.OK, sentence=f"With a key: {', '.join(a.agent_id for a in agents)}.")


def _broken(name: str, error: WalletError, mend: str) -> Check:
    verdict = Verdict.UNKNOWN if isinstance(error, OutsideError) else Verdict.FAILED
    return Check(name=name, verdict=verdict, sentence=error.message, mend=mend)
