"""What `doctor` sees around the home: versions, the development chain's extra, the environment, the folders."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from platform import python_version
from typing import Final

from mcp_wallet import __version__
from mcp_wallet.adapters.sqlite.glance import engine_version
from mcp_wallet.control.environment import NAMES, PREFIX, ProcessEnvironment, read_environment
from mcp_wallet.control.health import Check, Verdict
from mcp_wallet.control.home import HomePaths
from mcp_wallet.core.errors import OwnerError

SHOWN: Final = ("mcp", "web3", "cryptography")
FREE_OF_WAL_RESET: Final = (3, 51, 3)
"""First SQLite without the WAL-reset bug."""


def known_environment(environ: Mapping[str, str]) -> tuple[ProcessEnvironment, list[Check]]:
    """Return the environment without names that are not ours to know, and what is wrong with it."""
    strange = [name for name in environ if name.startswith(PREFIX) and name not in NAMES]
    environment = read_environment({name: text for name, text in environ.items() if name not in strange})
    return environment, [*_strange(environ), *_operator_token(environment)]


def surroundings() -> list[Check]:
    """Return what can be said without any home."""
    return [_versions(), _engine(), _playground()]


def places(paths: HomePaths) -> Check:
    """Return where the home's parts are."""
    sentence = f"The home is {paths.home}, its keys are in {paths.keys}, its checkpoints in {paths.state}."
    return Check(name="paths", verdict=Verdict.OK, sentence=sentence)


def _strange(environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        read_environment(environ)
    except OwnerError as error:
        yield Check(name="environment", verdict=Verdict.FAILED, sentence=error.message, mend="unset it, or correct it")


def _operator_token(environment: ProcessEnvironment) -> Iterator[Check]:
    if environment.operator_token:
        yield Check(
            name="operator token",
            verdict=Verdict.NOTICE,
            sentence="MCP_WALLET_OPERATOR_TOKEN is set here: a server refuses to start beside it.",
            mend="unset MCP_WALLET_OPERATOR_TOKEN before you start a server or an agent from here",
        )


def _versions() -> Check:
    others = ", ".join(f"{name} {_version(name)}" for name in SHOWN)
    sentence = f"mcp-wallet {__version__} on Python {python_version()}, with {others}."
    return Check(name="versions", verdict=Verdict.OK, sentence=sentence)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _engine() -> Check:
    found = engine_version()
    numbers = tuple(int(part) for part in found.split(".") if part.isdigit())
    sound = numbers >= FREE_OF_WAL_RESET
    return Check(
        name="sqlite",
        verdict=Verdict.OK if sound else Verdict.FAILED,
        sentence=f"The ledger's engine is SQLite {found}{'' if sound else ', which can lose commits'}.",
        mend="" if sound else "pip install --upgrade sqlcipher3",
    )


def _playground() -> Check:
    if find_spec("eth_tester") is not None and find_spec("eth") is not None:
        sentence = "The development chain is there: `mcp-wallet demo` and `mcp-wallet serve --dev` run."
        return Check(name="playground", verdict=Verdict.OK, sentence=sentence)
    return Check(
        name="playground",
        verdict=Verdict.NOTICE,
        sentence="The development chain is not installed: `demo` and `serve --dev` need it, real payments do not.",
        mend="pip install 'mcp-wallet[devnet]'",
    )
