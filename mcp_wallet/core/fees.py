"""What fees cost: held at their most while a payment is in flight, counted as paid for 24 hours once it is final."""

from collections import Counter, deque
from typing import Final

from mcp_wallet.core.identifiers import ChainId

DAY_MS: Final = 86_400_000


class Fees:
    """The fees of all chains in running totals: what one question costs does not grow with what was paid."""

    def __init__(self) -> None:
        """Start with nothing held and nothing paid."""
        self._held: dict[str, tuple[ChainId, int]] = {}
        self._held_wei: Counter[ChainId] = Counter()
        self._paid: dict[ChainId, deque[tuple[int, int]]] = {}
        self._paid_wei: Counter[ChainId] = Counter()

    def hold(self, payment_id: str, chain: ChainId, most_wei: int) -> None:
        """Count the most that a payment in flight may cost, in place of what it held before."""
        _, before_wei = self._held.get(payment_id, (chain, 0))
        self._held_wei[chain] -= before_wei
        self._held[payment_id] = (chain, most_wei)
        self._held_wei[chain] += most_wei

    def held_wei(self, payment_id: str) -> int:
        """Return the most that this payment in flight may cost; 0 when it holds nothing."""
        return self._held[payment_id][1] if payment_id in self._held else 0

    def settle(self, payment_id: str, *, paid_wei: int, at_ms: int) -> None:
        """Let go of what was held and count what was paid; a payment that holds nothing changes nothing."""
        held = self._held.pop(payment_id, None)
        if held is None:
            return
        chain, most_wei = held
        self._held_wei[chain] -= most_wei
        self.paid(chain, paid_wei, at_ms)

    def reopen(self, payment_id: str, chain: ChainId, *, most_wei: int, paid_wei: int, paid_at_ms: int) -> None:
        """Take a fee back that a vanished block had charged, and hold the most again."""
        paid = self._paid.get(chain)
        if paid and (paid_at_ms, paid_wei) in paid:
            paid.remove((paid_at_ms, paid_wei))
            self._paid_wei[chain] -= paid_wei
        self.hold(payment_id, chain, most_wei)

    def paid(self, chain: ChainId, wei: int, at_ms: int) -> None:
        """Count a fee as paid; its time is not before that of any other of the chain."""
        if wei:
            self._paid.setdefault(chain, deque()).append((at_ms, wei))
            self._paid_wei[chain] += wei

    def today_wei(self, chain: ChainId, now_ms: int, *, newest_ms: int) -> int:
        """Return what was paid on the chain in (now - 24 h, now] and the most that payments in flight may still cost.

        Args:
            newest_ms: The ledger's newest time, not after `now_ms`: what is a day older never counts again. A question
                may look further ahead than that, and the next one less far.
        """
        held_wei = self._held_wei.get(chain, 0)
        paid = self._paid.get(chain)
        if not paid:
            return held_wei
        while paid and paid[0][0] <= newest_ms - DAY_MS:
            self._paid_wei[chain] -= paid.popleft()[1]
        gone_wei = 0
        for at_ms, wei in paid:
            if at_ms > now_ms - DAY_MS:
                break
            gone_wei += wei
        return held_wei + self._paid_wei[chain] - gone_wei
