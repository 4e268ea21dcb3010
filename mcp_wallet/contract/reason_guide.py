"""What each reason code means, who can put it right, and how: for the documents, one entry for every code.

A meaning is for ever, as the code is. Cures name only commands that exist.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from mcp_wallet.core.reasons import ReasonCode


class Who(StrEnum):
    """Who can put it right."""

    NOBODY = "nobody has to"
    AGENT = "the agent"
    OPERATOR = "the operator"
    APPROVER = "another person"
    TIME = "nobody: wait"


class Guide(NamedTuple):
    """One entry: what the code says, who can put it right, and what to do."""

    meaning: str
    who: Who
    cure: str


_C = ReasonCode
_TELL: Final = "Stop and look before anything else is paid: `mcp-wallet audit verify`, then `mcp-wallet payments list`."

GUIDES: Final[dict[ReasonCode, Guide]] = {
    _C.OK: Guide("The payment is allowed.", Who.NOBODY, "Nothing."),
    # intent
    _C.INTENT_INVALID: Guide(
        "The request is malformed: an argument is unknown, missing, too long, or holds invisible characters.",
        Who.AGENT,
        "Send what the sentence asks for.",
    ),
    _C.AMOUNT_INVALID: Guide(
        "The amount is not a plain decimal number above zero with at most the asset's decimal places.",
        Who.AGENT,
        'Send decimal text in whole units, such as "12.50".',
    ),
    _C.RECIPIENT_INVALID: Guide(
        "The recipient is no usable address: wrong checksum, zero, own, a token, another chain's.",
        Who.AGENT,
        "Take a name from `list_payees`, or copy the address again from its source.",
    ),
    _C.RECIPIENT_UNKNOWN: Guide(
        "No payee has this name.",
        Who.AGENT,
        "Take a name from `list_payees`; the operator adds one with `mcp-wallet payee add`.",
    ),
    _C.ASSET_UNKNOWN: Guide("The registry has no such asset on this chain.", Who.AGENT, "Send one that it names."),
    _C.CHAIN_UNKNOWN: Guide(
        "The registry has no such chain, or several are possible and none was named.",
        Who.AGENT,
        "Send `chain` as one of the names in the sentence.",
    ),
    _C.PAYMENT_UNKNOWN: Guide(
        "This agent has no such payment; another agent's looks the same from here.",
        Who.AGENT,
        "Ask `list_payments`; the operator sees all with `mcp-wallet payments list`.",
    ),
    # credentials
    _C.CREDENTIAL_INVALID: Guide(
        "The agent key or operator token is missing or not of this home.",
        Who.OPERATOR,
        "Check MCP_WALLET_AGENT_KEY and MCP_WALLET_HOME in the client's configuration; "
        "`mcp-wallet agent add` prints a new key.",
    ),
    _C.CREDENTIAL_EXPIRED: Guide("The key has expired.", Who.OPERATOR, "Issue a new key."),
    _C.CREDENTIAL_REVOKED: Guide("The key was revoked.", Who.OPERATOR, "Find out why, then issue a new key."),
    _C.RATE_LIMITED: Guide("Too many calls within a minute.", Who.TIME, "Wait a minute; a loop is the usual cause."),
    _C.TOO_MANY_PENDING: Guide(
        "So many payments wait for a person that one more could starve others of the budget.",
        Who.APPROVER,
        "Decide the waiting ones (`mcp-wallet approvals list`), or let them expire.",
    ),
    _C.PERMISSION_DENIED: Guide(
        "The person's roles do not include this.",
        Who.APPROVER,
        "Ask somebody whose roles do: `mcp-wallet operator roles` and `mcp-wallet operator list`.",
    ),
    _C.SECOND_PERSON_REQUIRED: Guide(
        "What loosens needs somebody other than who proposed it, and who has been here for a day.",
        Who.APPROVER,
        "Ask a second person: `mcp-wallet approvals list` shows what waits.",
    ),
    # freeze
    _C.FROZEN: Guide(
        "The kill switch covers this agent, asset, chain or recipient.",
        Who.OPERATOR,
        "`mcp-wallet doctor` shows what is frozen; `mcp-wallet unkill` releases it.",
    ),
    # rules
    _C.NO_MATCHING_RULE: Guide(
        "No allow rule admits the payment; the codes beside it say which part.",
        Who.OPERATOR,
        "If it should be paid, give the policy a rule that admits it: `mcp-wallet policy propose`.",
    ),
    _C.RULE_DENIED: Guide("A deny rule matches.", Who.OPERATOR, "A deny rule wins over every other: change that rule."),
    _C.ASSET_NOT_ALLOWED: Guide("No allow rule names this asset.", Who.OPERATOR, "Pay in an asset that one names."),
    _C.CHAIN_NOT_ALLOWED: Guide("No allow rule names this chain.", Who.OPERATOR, "Pay on a chain that one names."),
    _C.RECIPIENT_NOT_ALLOWED: Guide(
        "The recipient is on no allow rule's list.",
        Who.OPERATOR,
        "Put the payee on the policy's list and propose the policy again; the address book is not enough.",
    ),
    _C.RECIPIENT_DENIED: Guide("A deny rule names this recipient.", Who.OPERATOR, "Change that rule, if it is wrong."),
    _C.RECIPIENT_LOOKALIKE: Guide(
        "The address imitates a payee's: equal beginning and end, another middle.",
        Who.OPERATOR,
        "Compare every character with the source: somebody may have planted it. Add it as a payee only if it is right.",
    ),
    _C.OPERATION_NOT_ALLOWED: Guide("No allow rule names this operation.", Who.OPERATOR, "Name it in a rule."),
    _C.CATEGORY_NOT_ALLOWED: Guide(
        "No allow rule names this category.",
        Who.OPERATOR,
        "Set the category of the payee or of the agent's binding; the model cannot choose it.",
    ),
    _C.OUTSIDE_HOURS: Guide("The only fitting rule does not hold at this hour.", Who.TIME, "Send it within the hours."),
    _C.NOT_YET_ACTIVE: Guide("The policy's `notBefore` has not come.", Who.TIME, "Wait for it."),
    _C.EXPIRED: Guide("The policy's `expiresAt` has passed.", Who.OPERATOR, "Put a newer version in force."),
    # limits
    _C.PER_TX_LIMIT_EXCEEDED: Guide(
        "The amount is above what one payment may be.",
        Who.OPERATOR,
        "Raise `perTransaction.max`; do not split the bill.",
    ),
    _C.BELOW_MINIMUM: Guide("The amount is below what one payment must be.", Who.AGENT, "Pay more at once."),
    _C.WINDOW_LIMIT_EXCEEDED: Guide(
        "The period's budget would be exceeded; amounts on their way count.",
        Who.TIME,
        "Wait until earlier payments leave the window: `check_budget`, or `mcp-wallet budget` for operators.",
    ),
    _C.COUNT_LIMIT_EXCEEDED: Guide("The period's number of payments is reached.", Who.TIME, "Wait, or pay less often."),
    _C.DISTINCT_LIMIT_EXCEEDED: Guide(
        "The period's number of different recipients is reached.", Who.TIME, "Wait; known ones can still be paid."
    ),
    _C.COOLDOWN: Guide("This recipient was paid too recently.", Who.TIME, "Wait for the policy's cooldown."),
    _C.NEW_RECIPIENT_HOLD: Guide("The recipient was listed too recently.", Who.TIME, "Wait for the policy's hold."),
    # approval
    _C.APPROVAL_REQUIRED: Guide(
        "A person must approve this payment; its budget is held meanwhile.",
        Who.APPROVER,
        "Do not send it again: ask `get_payment` later. People decide with `mcp-wallet approvals list`.",
    ),
    _C.APPROVAL_REJECTED: Guide(
        "A person rejected it; nothing was paid.", Who.OPERATOR, "Ask before sending it again."
    ),
    _C.APPROVAL_EXPIRED: Guide(
        "Nobody approved it in time; nothing was paid.", Who.AGENT, "Send it again with the same reference."
    ),
    _C.APPROVAL_CLOSED: Guide(
        "The request was decided before this vote came.", Who.NOBODY, "Look at the payment: it tells what was decided."
    ),
    # duplicates
    _C.IDEMPOTENCY_MISMATCH: Guide(
        "The idempotency key belongs to a payment with other content.", Who.AGENT, "Use a fresh key for a new payment."
    ),
    _C.DUPLICATE_REFERENCE: Guide(
        "The reference belongs to another payment.", Who.AGENT, "Use a new reference, but only for a new bill."
    ),
    _C.DUPLICATE_SUSPECTED: Guide(
        "An equal payment was made a moment ago, and nothing says that this is another one.",
        Who.AGENT,
        "To pay again on purpose, send a `reference` that names the second bill.",
    ),
    # anomaly
    _C.ANOMALY_AMOUNT: Guide("The amount is far above what this agent usually pays.", Who.OPERATOR, "Look at it."),
    _C.ANOMALY_NEW_RECIPIENT: Guide("The agent never paid this recipient before.", Who.OPERATOR, "Look at it."),
    _C.ANOMALY_VELOCITY: Guide("The agent pays much faster than it usually does.", Who.OPERATOR, "Look at it."),
    _C.ANOMALY_PROBING: Guide("The agent seems to search for its limit.", Who.OPERATOR, "Look at what it asked for."),
    # engine
    _C.ENGINE_ERROR: Guide(
        "The wallet itself failed; a payment that cannot be evaluated is refused.",
        Who.OPERATOR,
        "The log on stderr says where; ask `get_payment` before anything is sent again.",
    ),
    _C.CLOCK_UNTRUSTED: Guide(
        "The machine's clock went back, or is far from the chain's.",
        Who.OPERATOR,
        "Set the clock (`timedatectl set-ntp true`), then `mcp-wallet doctor`.",
    ),
    _C.POLICY_INVALID: Guide(
        "The policy file does not load; each problem is listed with its line.",
        Who.OPERATOR,
        "`mcp-wallet policy validate FILE` until it says that it loads.",
    ),
    _C.POLICY_CHANGED: Guide(
        "Policy or settings changed while the payment was under way; nothing was paid.", Who.AGENT, "Send it again."
    ),
    _C.POLICY_MISSING: Guide(
        "No active policy has this name, or the agent has none.",
        Who.OPERATOR,
        "`mcp-wallet policy show` lists those in force; `mcp-wallet agent list` says who is bound to which.",
    ),
    _C.CONFIG_UNAPPROVED: Guide(
        "Settings or environment are not what was approved, or there is no home.",
        Who.OPERATOR,
        "Do what the sentence says; `mcp-wallet doctor` shows the rest, `mcp-wallet config propose` what you edited.",
    ),
    _C.LEDGER_UNAVAILABLE: Guide(
        "The ledger or a file beside it cannot be opened or written.",
        Who.OPERATOR,
        "`mcp-wallet doctor` names it. Nothing new was paid.",
    ),
    _C.DISK_FULL: Guide("The disk is full; nothing was decided or spent.", Who.OPERATOR, "Make room."),
    _C.SIGNER_UNAVAILABLE: Guide(
        "The key cannot be opened, or is another account's.",
        Who.OPERATOR,
        "`mcp-wallet doctor` says which; restore the keystore or its password file.",
    ),
    _C.GATE_UNAVAILABLE: Guide("The gate does not answer.", Who.OPERATOR, "Start it again."),
    _C.ROLLBACK_DETECTED: Guide("The ledger is older than an anchor or the chain says.", Who.OPERATOR, _TELL),
    # gate 2
    _C.FINGERPRINT_MISMATCH: Guide("The bytes to be signed were not the approved payment.", Who.OPERATOR, _TELL),
    _C.TRANSACTION_INVALID: Guide("The bytes to be signed are no plain payment.", Who.OPERATOR, _TELL),
    _C.FEE_CAP_EXCEEDED: Guide(
        "The network's fee is above the cap for one transaction or for the day.",
        Who.TIME,
        "Wait for lower fees; `mcp-wallet config show` prints the caps.",
    ),
    _C.NONCE_MISMATCH: Guide("The bytes carry another nonce than the ledger gave.", Who.OPERATOR, _TELL),
    _C.APPROVAL_TOKEN_INVALID: Guide("The gate's approval is not for these bytes.", Who.OPERATOR, _TELL),
    _C.APPROVAL_TOKEN_EXPIRED: Guide(
        "The gate's approval was not used within a minute; nothing was paid.",
        Who.AGENT,
        "Send it again with the same reference.",
    ),
    _C.APPROVAL_TOKEN_USED: Guide("The gate's approval was used already.", Who.NOBODY, "Ask `get_payment`."),
    # chain
    _C.CHAIN_MISMATCH: Guide(
        "The node serves another chain than it is configured for.", Who.OPERATOR, "Correct the node's address."
    ),
    _C.INSUFFICIENT_FUNDS: Guide(
        "The account holds too little of the asset, or of the native coin for the fee.",
        Who.OPERATOR,
        "Fund the address that `mcp-wallet wallet address` prints: the asset, and a little native coin for fees.",
    ),
    _C.SIMULATION_REVERTED: Guide(
        "The chain would refuse the transfer: a paused token or a blocked address, for instance.",
        Who.OPERATOR,
        "Ask the token's issuer or the payee.",
    ),
    _C.NODE_UNAVAILABLE: Guide(
        "The chain's node does not answer, or answers nonsense. What was sent may be paid.",
        Who.TIME,
        "Ask `get_payment`; `mcp-wallet doctor` tries each node.",
    ),
    _C.TRANSACTION_REVERTED: Guide(
        "The chain took the transaction and reverted it: nobody was paid, the fee is spent.",
        Who.AGENT,
        "Once it is final, it may be sent again with the same reference.",
    ),
    _C.SETTLEMENT_MISMATCH: Guide("The chain shows another effect than was approved.", Who.OPERATOR, _TELL),
    _C.SETTLEMENT_UNKNOWN: Guide(
        "What became of a sent payment is not known.", Who.OPERATOR, "Ask `get_payment` later."
    ),
    _C.OUTFLOW_UNKNOWN: Guide("Money left the account that no payment of this ledger explains.", Who.OPERATOR, _TELL),
}
