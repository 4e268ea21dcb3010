"""Recipients of two policies by the lists on which they stand: who stands on the same ones is treated alike.

Lists of a million are the normal case. A single one is only asked about the few addresses that other lists name; more
of them are laid over each other once.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from mcp_wallet.core.address_set import INLINE_MAX
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.identifiers import Address, is_lookalike
from mcp_wallet.core.matching import Matcher
from mcp_wallet.core.rule_index import ALLOW

Known = tuple[int | None, int | None]
"""Since when the recipient is known to the old version and to the new one; None where it is not."""


class Recipient(NamedTuple):
    """Recipients that both versions treat alike.

    Args:
        address: One of them.
        lists: Numbers of the lists on which they stand.
        number: How many they are; None for all that nobody lists.
        known: Looked at only where one of the versions holds new recipients.
        imitates: Whether they look like a payee that they are not.
    """

    address: Address
    lists: frozenset[int]
    number: int | None
    known: Known
    imitates: bool


@dataclass(slots=True)
class Lists:
    """The different recipient lists of both versions, each under one number."""

    _sets: list[AbstractSet[Address]] = field(default_factory=list)
    _number: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, matchers: Iterable[Matcher]) -> "Lists":
        """Return the lists that the matches name; two with the same addresses have one number."""
        lists = cls()
        for recipients in {id(m.recipients): m.recipients for m in matchers if m.recipients is not None}.values():
            same = (i for i, known in enumerate(lists._sets) if len(known) == len(recipients) and known == recipients)
            number = next(same, len(lists._sets))
            if number == len(lists._sets):
                lists._sets.append(recipients)
            lists._number[id(recipients)] = number
        return lists

    def number(self, recipients: AbstractSet[Address]) -> int:
        """Return the number of a list that one of the matches names."""
        return self._number[id(recipients)]

    def names(self, matcher: Matcher, recipient: Recipient) -> bool:
        """Return whether the match names the recipient."""
        return matcher.recipients is None or self.number(matcher.recipients) in recipient.lists

    def recipients(self, old: CompiledPolicy, new: CompiledPolicy) -> tuple[Recipient, ...]:
        """Return one recipient for each combination of lists that exists, those that nobody lists last."""
        payees = old.payees() | new.payees()
        sight = _Sight(old, new, payees)
        masks, rest = self._masks(sight)
        found: dict[tuple[int, Known, bool], tuple[Address, int]] = {}
        for address, mask in masks.items():
            key = (mask, *sight.of(address))
            first, count = found.get(key, (address, 0))
            found[key] = (first, count + 1)
        listed = [Recipient(a, _numbers(mask), n, known, im) for (mask, known, im), (a, n) in found.items()]
        taken = masks.keys() | {address for _, address, _ in rest}
        strangers = [a for a in sight.strangers() if a not in taken and not any(a in s for s in self._sets)]
        return (
            *listed,
            *(Recipient(address, _numbers(mask), count, *sight.of(address)) for mask, address, count in rest),
            *(Recipient(address, frozenset(), None, *sight.of(address)) for address in sight.different(strangers)),
        )

    def _masks(self, sight: "_Sight") -> tuple[dict[Address, int], list[tuple[int, Address, int]]]:
        """Return the lists of each address as bits, and for the rest of one long list (bits, an address, how many)."""
        long = [i for i, recipients in enumerate(self._sets) if len(recipients) > INLINE_MAX]
        single = long[0] if len(long) == 1 else None
        masks: dict[Address, int] = dict.fromkeys(sight.payees, 0)
        for i, recipients in enumerate(self._sets):
            if i != single:
                for address in recipients:
                    masks[address] = masks.get(address, 0) | 1 << i
        if single is None:
            return masks, []
        only = self._sets[single]
        shared = [address for address in masks if address in only]
        for address in shared:
            masks[address] |= 1 << single
        others = (address for address in only if address not in masks)
        different = sight.different(others if sight.is_sharp else itertools.islice(others, 1))
        return masks, [(1 << single, address, len(only) - len(shared)) for address in different]


@dataclass(slots=True)
class _Sight:
    """What else than lists tells two recipients apart: since when they are known, and whom they imitate."""

    old: CompiledPolicy
    new: CompiledPolicy
    payees: AbstractSet[Address]
    _ends: Mapping[tuple[str, str], Address] = field(init=False)
    _holds: bool = field(init=False)
    _is_open: bool = field(init=False)

    def __post_init__(self) -> None:
        self._ends = {(a[2:5], a[-4:]): a for a in self.payees}
        self._holds = bool(self.old.new_recipient_hold_ms or self.new.new_recipient_hold_ms)
        self._is_open = any(
            rule.effect == ALLOW and rule.matcher.recipients is None
            for policy in (self.old, self.new)
            for rule in policy.rules
        )

    def of(self, address: Address) -> tuple[Known, bool]:
        """Return since when an address is known and whether it imitates a payee, where that can matter."""
        known = (self.old.known_since(address), self.new.known_since(address)) if self._holds else (0, 0)
        return known, self._is_open and self._imitates(address)

    def strangers(self) -> Iterator[Address]:
        """Yield addresses that are likely on no list: some that imitate a payee, some that do not."""
        for filling in ("57", "75", "3d", "d3"):
            yield Address("0x" + filling * 20)
        for payee in sorted(self.payees):
            for filling in ("5", "a"):
                yield Address(payee[:5] + filling * 33 + payee[-4:])

    @property
    def is_sharp(self) -> bool:
        """Whether two addresses that are no payees can differ on the same lists."""
        return self._is_open and bool(self.payees)

    def different(self, strangers: Iterable[Address]) -> list[Address]:
        """Return one of the strangers of each kind, the first."""
        kinds: dict[tuple[Known, bool], Address] = {}
        for address in strangers:
            kinds.setdefault(self.of(address), address)
        return [*kinds.values()]

    def _imitates(self, address: Address) -> bool:
        found = self._ends.get((address[2:5], address[-4:]))
        return found is not None and address not in self.payees and is_lookalike(address, found)


def _numbers(mask: int) -> frozenset[int]:
    return frozenset(i for i in range(mask.bit_length()) if mask >> i & 1)
