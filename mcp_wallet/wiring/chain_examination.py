"""What `doctor` asks the nodes: the right chain, a clock in step, money for a payment and its fee."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mcp_wallet.adapters.clock import wall_clock
from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control.health import Check, Verdict
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.identifiers import Address, ChainId, checksum_address
from mcp_wallet.core.registry import Asset, Chain
from mcp_wallet.core.settings import Settings

if TYPE_CHECKING:
    from mcp_wallet.adapters.evm.node import Node

CLOCK_APART_MS_MAX: Final = 300_000
WORD_CHARACTERS: Final = 66
LOCAL: Final = ChainId("eip155:31337")
SET_CLOCK: Final = "set the clock (timedatectl set-ntp true), or choose a node that is in step"


async def examine_chains(settings: Settings, account: Address) -> list[Check]:
    """Return what each configured node says; never raises for a node that does not answer."""
    if not settings.chains:
        sentence = "No chain is configured: this home decides, but it cannot pay."
        return [Check(name="nodes", verdict=Verdict.NOTICE, sentence=sentence, mend="mcp-wallet init, in a new home")]
    checks: list[Check] = []
    for chain_id, configured in settings.chains.items():
        assets = [asset for asset in settings.registry.assets if asset.chain == chain_id]
        for number, url in enumerate(configured.nodes, 1):
            chain = settings.registry.chain(chain_id)
            checks += await _node(chain, url, f"node {chain.name} {number}", assets if number == 1 else (), account)
    return checks


async def _node(chain: Chain, url: str, name: str, assets: Sequence[Asset], account: Address) -> list[Check]:
    """Ask one node for its chain, its newest block's time, and what the account holds of these assets."""
    from mcp_wallet.adapters.evm.node import Node  # noqa: PLC0415  web3 comes with the first question
    from mcp_wallet.adapters.evm.wire import parse_block  # noqa: PLC0415

    node = Node(url, chain)
    try:
        await node.check_chain()
        block = await node.ask("eth_getBlockByNumber", ["latest", False], parse_block)
        held = [(asset, await _held(node, asset, account)) for asset in assets]
    except OutsideError as error:
        verdict = Verdict.UNKNOWN if error.retryable else Verdict.FAILED
        mend = "check the node and `nodes` in wallet.toml"
        return [Check(name=name, verdict=verdict, sentence=error.message, mend=mend)]
    finally:
        await node.close()
    sentence = f"It is on the right chain, at block {block.number}."
    checks = [Check(name=name, verdict=Verdict.OK, sentence=sentence), _clock(chain, block.timestamp_seconds)]
    return [*checks, _funds(chain, held, account)] if held else checks


async def _held(node: "Node", asset: Asset, account: Address) -> int | None:
    """Return what the account holds; None when no token answers where the registry has one."""
    from mcp_wallet.adapters.evm.wire import parse_data, parse_quantity  # noqa: PLC0415

    if asset.token is None:
        return await node.ask("eth_getBalance", [account, "latest"], parse_quantity)
    call = {"to": asset.token, "data": "0x70a08231" + account[2:].rjust(64, "0")}  # balanceOf(address)
    answer = await node.try_ask("eth_call", [call, "latest"], parse_data)
    return int(answer, 16) if isinstance(answer, str) and len(answer) == WORD_CHARACTERS else None


def _clock(chain: Chain, block_seconds: int) -> Check:
    now_ms = wall_clock()
    apart_ms = abs(now_ms - block_seconds * 1000)
    wrong = chain.chain_id != LOCAL and apart_ms > CLOCK_APART_MS_MAX
    return Check(
        name=f"clock {chain.name}",
        verdict=Verdict.FAILED if wrong else Verdict.OK,
        sentence=f"It is {rfc3339(now_ms)} here, {apart_ms // 1000} s away from the newest block of {chain.name}.",
        mend=SET_CLOCK if wrong else "",
    )


def _funds(chain: Chain, held: Sequence[tuple[Asset, int | None]], account: Address) -> Check:
    found = [f"{format_amount(units, asset.decimals)} {asset.unit}" for asset, units in held if units is not None]
    absent = [f"; no {asset.unit} answers at its address" for asset, units in held if units is None]
    native = next((asset for asset, units in held if asset.token is None and units == 0), None)
    address = checksum_address(account)
    return Check(
        name=f"funds {chain.name}",
        verdict=Verdict.OK if native is None else Verdict.NOTICE,
        sentence=f"The account holds {', '.join(found)} on {chain.name}{''.join(absent)}.",
        mend="" if native is None else f"send what is to be paid, and some {native.unit} for fees, to {address}",
    )
