"""From an untrusted tool call to a typed draft, and from there to the canonical intent with its fingerprint.

`parse_request` is the only way in. A draft lacks one thing, the `intentId`: which attempt this is under which guard
is known only to the ledger, inside the transaction that decides.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, NamedTuple

from mcp_wallet.core.amount import parse_amount, parse_units
from mcp_wallet.core.canonical import INTENT_DOMAIN, Json, domain_hash
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, ChainId, is_payee_name, is_reserved_address, parse_address
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Asset, Chain, Registry

REFERENCE_CHARACTERS_MAX: Final = 128
MEMO_CHARACTERS_MAX: Final = 256
TRANSFER: Final = "transfer"

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (zero-width, bidirectional), surrogate, line and paragraph separators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """What a model asked for, exactly as it arrived; nothing here is trusted."""

    to: object
    amount: object
    asset: object = "usdc"
    chain: object = ""
    reference: object = ""
    memo: object = ""
    idempotency_key: object = ""
    amount_is_units: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who asks, as the credential says; `chains` are those of its policy."""

    org_id: str
    agent_id: str
    environment: str
    sender: Address
    chains: tuple[ChainId, ...]
    policy_hash: str
    settings_hash: str = ""
    category: str = ""


class PaymentDraft(NamedTuple):
    """A parsed payment: every value typed and bounded, not yet decided. A named tuple: see `PaymentIntent`.

    `settings_hash` names the settings that its names were read by: the ledger decides under no others.
    """

    org_id: str
    agent_id: str
    operation: str
    chain: Chain
    asset: Asset
    sender: Address
    to: Address
    payee: str
    amount_units: int
    reference: str
    memo: str
    category: str
    memo_hash: str
    blind: str
    idempotency_key: str
    settings_hash: str = ""

    @property
    def content(self) -> tuple[str, ...]:
        """What is paid, for duplicate detection: operation, chain, asset, to, amount, category."""
        return (
            self.operation,
            self.chain.chain_id,
            self.asset.asset_id,
            self.to,
            str(self.amount_units),
            self.category,
        )

    def intent(self, intent_id: str) -> "PaymentIntent":
        """Return the canonical intent under this id."""
        org_id, agent_id, operation, chain, asset, sender, to, _, units, reference, _, category, memo, blind, _, _ = (
            self
        )
        return PaymentIntent(
            version="1",
            org_id=org_id,
            agent_id=agent_id,
            intent_id=intent_id,
            operation=operation,
            chain=chain.chain_id,
            asset=asset.asset_id,
            sender=sender,
            to=to,
            amount=str(units),
            reference=reference,
            category=category,
            memo_hash=memo,
            blind=blind,
        )


class PaymentIntent(NamedTuple):
    """The canonical intent (SPEC section 2): all values text, empty when absent; amount in base units.

    A named tuple, made with keywords like everything else: it cannot change, and is made on every payment in a
    quarter of the time that a frozen dataclass takes.
    """

    version: str
    org_id: str
    agent_id: str
    intent_id: str
    operation: str
    chain: str
    asset: str
    sender: str
    to: str
    amount: str
    reference: str
    category: str
    memo_hash: str
    blind: str

    @property
    def amount_units(self) -> int:
        """The amount in base units."""
        return int(self.amount)

    def document(self) -> dict[str, Json]:
        """Return the JSON document that is fingerprinted."""
        return {
            "version": self.version,
            "orgId": self.org_id,
            "agentId": self.agent_id,
            "intentId": self.intent_id,
            "operation": self.operation,
            "chain": self.chain,
            "asset": self.asset,
            "from": self.sender,
            "to": self.to,
            "amount": self.amount,
            "reference": self.reference,
            "category": self.category,
            "memoHash": self.memo_hash,
            "blind": self.blind,
        }

    def fingerprint(self) -> str:
        r"""Return `"sha256:" + hex(sha256("mcp-wallet/intent/v1\n" + JCS(intent)))`."""
        return domain_hash(INTENT_DOMAIN, self.document())


def parse_request(
    request: PaymentRequest, *, agent: Agent, registry: Registry, book: AddressBook, default_category: str = ""
) -> PaymentDraft:
    """Return the typed draft of an untrusted request.

    Raises:
        CallerError: With the code and the sentence that says what to send instead; the first problem found.
    """
    chain = _parse_chain(_text("chain", request.chain), agent=agent, registry=registry)
    asset = registry.asset(chain.chain_id, _text("asset", request.asset) or "usdc")
    to, payee, category = _parse_recipient(
        _text("to", request.to), chain=chain, agent=agent, registry=registry, book=book
    )
    memo = _parse_words("memo", request.memo, MEMO_CHARACTERS_MAX)
    units = (
        parse_units(request.amount)
        if request.amount_is_units
        else parse_amount(request.amount, decimals=asset.decimals, unit=asset.unit)
    )
    return PaymentDraft(
        org_id=agent.org_id,
        agent_id=agent.agent_id,
        operation=TRANSFER,
        chain=chain,
        asset=asset,
        sender=agent.sender,
        to=to,
        payee=payee,
        amount_units=units,
        reference=_parse_words("reference", request.reference, REFERENCE_CHARACTERS_MAX),
        memo=memo,
        category=category or agent.category or default_category,
        memo_hash="sha256:" + hashlib.sha256(b"mcp-wallet/memo/v1\n" + memo.encode()).hexdigest() if memo else "",
        blind="",
        idempotency_key=parse_idempotency_key(request.idempotency_key),
        settings_hash=agent.settings_hash,
    )


def parse_idempotency_key(value: object) -> str:
    """Return the key or empty text; `CallerError(INTENT_INVALID)`."""
    text = _text("idempotency_key", value)
    if text and _KEY.fullmatch(text) is None:
        raise CallerError(
            ReasonCode.INTENT_INVALID, "`idempotency_key` must be 1 to 64 characters of `A-Z a-z 0-9 . _ : -`."
        )
    return text


def parse_reference(value: object) -> str:
    """Return the reference in NFC, as a payment keeps it, or empty text; `CallerError(INTENT_INVALID)`."""
    return _parse_words("reference", value, REFERENCE_CHARACTERS_MAX)


def _parse_chain(name: str, *, agent: Agent, registry: Registry) -> Chain:
    if name:
        return registry.chain(name.lower())
    if len(agent.chains) == 1:
        return registry.chain(agent.chains[0])
    known = ", ".join(registry.chain(c).name for c in agent.chains)
    raise CallerError(
        ReasonCode.CHAIN_UNKNOWN,
        f"This agent can pay on several chains: send `chain` as one of {known}."
        if known
        else "This agent's policy names no chain: ask the operator.",
    )


def _parse_recipient(
    text: str, *, chain: Chain, agent: Agent, registry: Registry, book: AddressBook
) -> tuple[Address, str, str]:
    if is_payee_name(text):
        payee = book.by_name.get(text)
        if payee is None:
            raise CallerError(
                ReasonCode.RECIPIENT_UNKNOWN,
                f"No payee is called `{text}`: call list_payees for the names, or ask the operator to add it.",
            )
        return payee.address, payee.name, payee.category
    if ":" in text:
        prefix, _, text = text.rpartition(":")
        if prefix != chain.chain_id:
            raise CallerError(
                ReasonCode.RECIPIENT_INVALID, f"The account is on `{prefix[:80]}`, the payment on `{chain.chain_id}`."
            )
    address = parse_address(text)
    _refuse_unpayable(address, agent=agent, registry=registry)
    known = book.by_address.get(address)
    return (address, known.name, known.category) if known else (address, "", "")


def _refuse_unpayable(address: Address, *, agent: Agent, registry: Registry) -> None:
    problem = ""
    if is_reserved_address(address):
        problem = "is the zero address or a precompiled contract"
    elif address == agent.sender:
        problem = "is this wallet itself"
    elif address in registry.tokens:
        problem = "is a token contract: tokens sent there are lost"
    if problem:
        raise CallerError(ReasonCode.RECIPIENT_INVALID, f"`{address}` {problem}; nothing was paid.")


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        code = ReasonCode.RECIPIENT_INVALID if field == "to" else ReasonCode.INTENT_INVALID
        raise CallerError(code, f"`{field}` must be text.")
    return value


def _parse_words(field: str, value: object, characters_max: int) -> str:
    """Return model-written text in NFC; it is data, bounded and free of invisible characters."""
    text = _text(field, value)
    if len(text) <= characters_max and text.isascii() and text.isprintable():
        return text
    if len(text) > characters_max * 4:
        raise CallerError(ReasonCode.INTENT_INVALID, f"`{field}` is longer than {characters_max} characters.")
    if any(unicodedata.category(c) in _FORBIDDEN_CATEGORIES for c in text):
        raise CallerError(
            ReasonCode.INTENT_INVALID, f"`{field}` holds a control or invisible character: send plain visible text."
        )
    text = unicodedata.normalize("NFC", text)
    if len(text) > characters_max:
        raise CallerError(ReasonCode.INTENT_INVALID, f"`{field}` is longer than {characters_max} characters.")
    return text
