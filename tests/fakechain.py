"""A chain and a signer that fail on purpose, each call in one of two ways: failed and lost, or failed but done."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp_wallet.core.decision import Facts
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.evidence import Testimony
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.outflow import Sighting
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import FINALIZED
from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC, Log, Receipt
from mcp_wallet.core.signing_gate import Sealed
from mcp_wallet.core.transaction import decode_signed, decode_transfer
from mcp_wallet.ports import Sent

LOST, DONE, FINE = "failed and lost", "failed but done", "fine"


@dataclass
class FakeChain:
    """Implements `ports.ChainPort` with balances, nonces and a script of faults.

    Args:
        sends: What happens to the next sends, in order; when it runs out, all is fine.
        hidden: How many of the next receipt questions find nothing.
        status: Of every receipt.
        nodes: How many bear witness, all alike.
        foreign: How many transactions of the account others have made.
        final: Whether blocks are final at once, beyond being confirmed.
        least_fee_wei: What is offered for less per gas waits.
        takes_first: Whether the first that waited is mined when a later offer would be.
        thief: Who gets the money in the receipts' logs, when not the recipient.
    """

    sends: list[str] = field(default_factory=list)
    hidden: int = 0
    unreachable: int = 0
    status: int = 1
    thief: str = ""
    nodes: int = 1
    foreign: int = 0
    final: bool = True
    least_fee_wei: int = 0
    takes_first: bool = False
    balances: dict[str, int] = field(default_factory=dict)
    raws: list[bytes] = field(default_factory=list)
    mined: dict[str, Receipt] = field(default_factory=dict)

    @property
    def nonce(self) -> int:
        """Transactions that were mined."""
        return len(self.mined) + self.foreign

    async def facts(self, draft: PaymentDraft, *, fee_cap_wei: int) -> Facts:
        """Return facts that refuse nothing; `unreachable` says how often nobody answers."""
        if self.unreachable:
            self.unreachable -= 1
            raise OutsideError(ReasonCode.NODE_UNAVAILABLE, "The node does not answer: nothing was paid.")
        return Facts(
            source="fake",
            account_nonce=self.nonce,
            asset_balance_units=10**15,
            native_balance_wei=10**21,
            gas_limit=65_000,
            max_fee_wei=10**9,
            priority_fee_wei=10**9,
            simulation_revert="",
        )

    async def send(self, raw: bytes) -> Sent:
        """Take the bytes, or not, and answer, or not."""
        self.raws.append(raw)
        fault = self.sends.pop(0) if self.sends else FINE
        if fault == LOST:
            return Sent.UNREACHABLE
        known = decode_signed(raw).hash in self.mined
        self._mine(raw)
        if fault == DONE:
            return Sent.UNREACHABLE
        return Sent.KNOWN if known else Sent.ACCEPTED

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return what was mined, unless it is hidden."""
        if self.hidden:
            self.hidden -= 1
            return None
        return self.mined.get(transaction_hash)

    async def testimonies(self, *, sender: Address, hashes: Sequence[str]) -> tuple[Testimony, ...]:
        """Say so many times what is mined: every block is final."""
        receipt = next((self.mined[h] for h in hashes if h in self.mined), None)
        return (Testimony(final_nonce=self.nonce, receipt=receipt),) * self.nodes

    async def sight(self, account: Address, *, after: int | None) -> Sighting | None:
        """See nothing new."""
        return None

    async def is_final(self, receipt: Receipt, *, confirmations: int) -> bool:
        """Say yes; but for `finalized` only when blocks are final at once."""
        return self.final or confirmations != FINALIZED

    async def confirmations(self, receipt: Receipt) -> int:
        """Return one."""
        return 1

    async def close(self) -> None:
        """Hold nothing."""

    def forget_everything(self) -> None:
        """Take every block away, and what waits."""
        self.mined.clear()
        self.balances.clear()

    def _mine(self, raw: bytes) -> None:
        signed = decode_signed(raw)
        if signed.hash in self.mined or signed.unsigned.nonce != self.nonce:
            return
        if signed.unsigned.max_fee_wei < self.least_fee_wei:
            return
        if self.takes_first:
            signed = decode_signed(self.raws[0])
        to, units = decode_transfer(signed.unsigned.data)
        paid = self.thief or to
        if self.status:
            self.balances[paid] = self.balances.get(paid, 0) + units
        log = Log(
            address=Address(signed.unsigned.to),
            topics=(TRANSFER_TOPIC, _word(signed.sender), _word(paid)),
            data=f"0x{units:064x}",
        )
        self.mined[signed.hash] = Receipt(
            transaction_hash=signed.hash,
            status=self.status,
            block_number=self.nonce + 1,
            block_hash="0x" + "b1" * 32,
            sender=signed.sender,
            to=signed.unsigned.to,
            gas_used=50_000,
            effective_gas_price_wei=10**9,
            logs=(log,) if self.status else (),
        )


@dataclass
class FakeSigner:
    """Implements `ports.Signer` with a real key; `faults` says how often it fails, `forged` what it returns instead."""

    secret: bytes = b"\x11" * 32
    faults: int = 0
    forged: Sequence[bytes] = ()
    asked: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """The key's account."""
        return LocalKey(self.secret).address

    async def sign(self, sealed: Sealed) -> bytes:
        """Sign, fail, or forge."""
        self.asked.append(sealed.unsigned)
        if self.faults:
            self.faults -= 1
            raise OutsideError(ReasonCode.SIGNER_UNAVAILABLE, "The signer does not answer.")
        return self.forged[0] if self.forged else LocalKey(self.secret).sign(sealed)


def _word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")
