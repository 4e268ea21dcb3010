"""Verify a payment's proof, or a whole trail, without trusting the wallet that made it.

    mcp-wallet audit prove PAYMENT_ID > proof.json      python verify_trail.py proof.json --vkey KEY
    mcp-wallet audit tail --all --json > trail.jsonl    python verify_trail.py trail.jsonl --vkey KEY [--payment ID]

One file, Python 3.11 and `cryptography`; it shares no code with the wallet. KEY is the verifier key as it was published
when the wallet was made; it is never read from the data. Exit 0: everything holds. 2: usage. 3: something does not, or
the key is unverified.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Document = dict[str, Any]
INTENT_FIELDS = (
    *("version", "orgId", "agentId", "intentId", "operation", "chain", "asset", "from", "to", "amount"),
    *("reference", "category", "memoHash", "blind"),
)
shown = json.dumps  # what an agent or a stranger wrote: quoted, as data
WINDOW_FIELDS = ("limit", "spent", "held", "remaining", "maxCount", "count", "maxDistinctRecipients", "distinct")


class Wrong(Exception):  # noqa: N818  what was claimed is wrong
    """Something does not hold; the text says what."""


def say(line: str) -> None:
    """Print a line in which nothing can move the cursor."""
    print("".join(c if c.isprintable() else "?" for c in line))


def require(holds: object, otherwise: str) -> None:
    """Raise `Wrong` unless it holds."""
    if not holds:
        raise Wrong(otherwise)


# ------------------------------------------------------------------------------------- canonical text, fingerprints


def canonical(value: object) -> bytes:
    """Return RFC 8785 bytes; the trail holds text, booleans, null and small integers under ASCII keys only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def named(domain: str, value: object) -> str:
    """Return the domain-separated hash by which a document is named."""
    return "sha256:" + hashlib.sha256(domain.encode() + b"\n" + canonical(value)).hexdigest()


def fingerprint(intent: Document) -> str:
    """Return the fingerprint of an intent."""
    return named("mcp-wallet/intent/v1", {field: intent[field] for field in INTENT_FIELDS})


def policy_hash(policy: Document) -> str:
    """Return the hash of a resolved policy: each list enters as its count and the root of its sorted addresses."""
    lists = {}
    for name, rows in policy["lists"].items():  # a long list stands in the document by count and root already
        root = "" if isinstance(rows, dict) else root_of([leaf(row.encode()) for row in sorted(rows)]).hex()
        lists[name] = {"count": str(len(rows)), "root": root} if root else rows
    return named("mcp-wallet/policy/v1", {**policy, "lists": lists})


def settings_hash(settings: Document) -> str:
    """Return the hash of a settings document."""
    return named("mcp-wallet/settings/v1", settings)


# -------------------------------------------------------------------------------------------- the tree (RFC 6962)


def leaf(body: bytes) -> bytes:
    """Return a leaf's hash."""
    return hashlib.sha256(b"\x00" + body).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return an inner node's hash."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    while len(leaves) > 1:
        pairs = [node(a, b) for a, b in zip(leaves[::2], leaves[1::2], strict=False)]
        leaves = pairs + leaves[len(pairs) * 2 :]
    return leaves[0]


def root_by_path(index: int, size: int, leaf_hash: bytes, path: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    require(0 <= index < size, f"event {index} is not among the {size} that the checkpoint covers")
    position, last, found = index, size - 1, leaf_hash
    for sibling in path:
        require(last > 0, f"the proof of event {index} is too long")
        if position & 1 or position == last:
            found = node(sibling, found)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            found = node(found, sibling)
        position, last = position >> 1, last >> 1
    require(last == 0, f"the proof of event {index} is too short")
    return found


# ------------------------------------------------------------------------ checkpoints (C2SP signed-note, tlog-proof)


def read_checkpoint(note: str, vkey: str) -> tuple[int, bytes]:
    """Return size and root of a checkpoint; its signature is verified when there is a key."""
    body, separator, signatures = note.rpartition("\n\n")
    lines = body.split("\n")
    require(separator and len(lines) == 3 and lines[1].isdigit(), "the checkpoint is malformed")
    if vkey:
        name, digest, encoded = vkey.split("+", 2)
        key = base64.b64decode(encoded)
        identity = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
        require(identity.hex() == digest and key[:1] == b"\x01", "--vkey is not an Ed25519 verifier key")
        require(lines[0] == name, "the checkpoint is another log's")
        found = [base64.b64decode(line.rpartition(" ")[2]) for line in signatures.split("\n") if f"— {name} " in line]
        mine = [signature[4:] for signature in found if signature[:4] == identity]
        require(mine, "the checkpoint is not signed by --vkey")
        for signature in mine:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, f"{body}\n".encode())
    return int(lines[1]), base64.b64decode(lines[2])


def proven_event(entry: Document, size: int, root: bytes) -> Document:
    """Return an event whose inclusion under the root was verified."""
    head, _, _ = entry["proof"].partition("\n\n")
    version, index, *path = head.split("\n")
    require(version == "c2sp.org/tlog-proof@v1" and index.startswith("index "), "a proof is malformed")
    event, number = parsed(entry["body"].encode()), int(index.removeprefix("index "))
    require(event["sequence"] == number, f"event {number} says that it is event {event['sequence']}")
    found = root_by_path(number, size, leaf(entry["body"].encode()), [base64.b64decode(line) for line in path])
    require(found == root, f"event {number} is not in the tree of the checkpoint")
    return event


def parsed(body: bytes) -> Document:
    """Return an event whose text is canonical."""
    event: Document = json.loads(body)
    require(canonical(event) == body, f"event {event.get('sequence')} is not canonical")
    return event


# ----------------------------------------------------------------------------- the transaction (EIP-1559, secp256k1)

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
GY = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
Point = tuple[int, int] | None


def add(a: Point, b: Point) -> Point:
    """Return the sum of two points of secp256k1."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    rise, run = (3 * a[0] * a[0], 2 * a[1]) if a == b else (b[1] - a[1], b[0] - a[0])
    slope = rise * pow(run, -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(scalar: int, point: Point) -> Point:
    """Return a multiple of a point."""
    found: Point = None
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point, scalar = add(point, point), scalar >> 1
    return found


def recover(digest: bytes, parity: int, r: int, s: int) -> str:
    """Return the address whose key signed the digest."""
    require(0 < r < N and 0 < s <= N // 2 and parity in (0, 1), "the signature is malformed")
    y = pow(pow(r, 3, P) + 7, (P + 1) // 4, P)
    y = y if y & 1 == parity else P - y
    inverse, z = pow(r, -1, N), int.from_bytes(digest)
    key = add(times(-z * inverse % N, (GX, GY)), times(s * inverse % N, (r, y)))
    return "0x" + keccak(b"".join(number.to_bytes(32) for number in key or ()))[-20:].hex()


def keccak(data: bytes) -> bytes:
    """Return Keccak-256 as Ethereum has it."""
    rate, state = 136, [0] * 25
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            state[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        state = permuted(state)
    return b"".join(word.to_bytes(8, "little") for word in state[:4])


def rotated(word: int, by: int) -> int:
    """Return a 64-bit word rotated to the left."""
    return ((word << by) | (word >> (64 - by))) & (2**64 - 1)


def permuted(a: list[int]) -> list[int]:
    """Return the state after Keccak-f[1600]; lane (x, y) stands at x + 5y."""
    register = 1
    for _ in range(24):
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        a = [a[i] ^ c[(i - 1) % 5] ^ rotated(c[(i + 1) % 5], 1) for i in range(25)]
        x, y, current = 1, 0, a[1]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x + 5 * y] = a[x + 5 * y], rotated(current, (t + 1) * (t + 2) // 2 % 64)
        a = [a[i] ^ (~a[i // 5 * 5 + (i + 1) % 5] & a[i // 5 * 5 + (i + 2) % 5]) & (2**64 - 1) for i in range(25)]
        for j in range(7):
            register = (register << 1) ^ ((register >> 7) * 0x171)
            if register & 2:
                a[0] ^= 1 << ((1 << j) - 1)
    return a


def unrlp(data: bytes) -> Iterator[bytes]:
    """Yield the byte strings of a flat RLP list's payload; a nested list comes as it is encoded."""
    while data:
        short = data[0] - (0x80 if data[0] < 0xC0 else 0xC0)
        head, length = (0, 1) if data[0] < 0x80 else (1, short)
        if short > 55:
            head, length = short - 54, int.from_bytes(data[1 : short - 54])
        require(head + length <= len(data), "the transaction is cut off")
        yield data[head : head + length]
        data = data[head + length :]


def rlp_list(items: list[bytes]) -> bytes:
    """Return the RLP of a list of byte strings; number 8 is always an empty list (no access list)."""
    parts = [b"\xc0" if i == 8 else rlp_head(item, 0x80) for i, item in enumerate(items)]
    return rlp_head(b"".join(parts), 0xC0)


def rlp_head(payload: bytes, offset: int) -> bytes:
    """Return a payload behind its RLP length; one small byte of text stands for itself."""
    if offset == 0x80 and len(payload) == 1 and payload[0] < 0x80:
        return payload
    if len(payload) < 56:
        return bytes([offset + len(payload)]) + payload
    size = (len(payload).bit_length() + 7) // 8
    return bytes([offset + 55 + size]) + len(payload).to_bytes(size) + payload


def paid_by(raw: bytes, native: str) -> Document:
    """Return what signed bytes do, as fields of an intent: chain, asset, from, to, amount."""
    require(raw[:1] == b"\x02", "the transaction is not EIP-1559")
    (payload,) = unrlp(raw[1:])
    fields = list(unrlp(payload))
    require(len(fields) == 12 and fields[8] == b"", "the transaction has another shape")
    require(raw[1:] == rlp_list(fields), "the transaction is not canonical RLP")
    parity, r, s = (int.from_bytes(field) for field in fields[9:])
    sender = recover(keccak(b"\x02" + rlp_list(fields[:9])), parity, r, s)
    chain, to, units, data = f"eip155:{int.from_bytes(fields[0])}", fields[5].hex(), fields[6], fields[7]
    found = {"chain": chain, "from": sender}
    if not data:
        return found | {"asset": native, "to": f"0x{to}", "amount": str(int.from_bytes(units))}
    call = bytes.fromhex("a9059cbb") + bytes(12)
    require(len(data) == 68 and data[:16] == call and not units, "it is not a plain token transfer")
    paid = {"to": f"0x{data[16:36].hex()}", "amount": str(int.from_bytes(data[36:]))}
    return found | {"asset": f"{chain}/erc20:0x{to}"} | paid


# ------------------------------------------------------------------------------------------------- the five answers


def answer(events: list[Document], proof: Document) -> None:
    """Print the five answers about a payment; `Wrong` where one of them does not hold."""
    decision: Document = ([e for e in events if e["eventType"] == "policy_decision"] or [{}])[-1]  # again, after votes
    require(decision, "no decision of this payment is here")
    intent, policy, settings = decision["intent"], decision["policy"], decision["settings"]
    require(fingerprint(intent) == intent["fingerprint"], "the intent does not have the fingerprint that was recorded")
    say(f"1 requested  {intent['amountHuman']} {intent['symbol'].upper()} on {intent['chainName']} to {intent['to']}")
    say(f"             by agent {shown(intent['agentId'])}, decided {decision['timestamp']}")
    say(f"             the agent wrote {shown(intent['reference'])} {shown(intent['memo'])}; {intent['fingerprint']}")
    say(f"2 policy     {shown(policy['id'])} version {policy['version']}, {policy['hash']}")
    say(f"             {held(proof, 'policies', policy['hash'], policy_hash)}")
    say(f"             settings version {settings['version']}, {settings['hash']}")
    say(f"             {held(proof, 'settings', settings['hash'], settings_hash)}")
    say(f"3 limits     per transaction {policy['limits']['perTransaction'] or 'none'} base units")
    for window in decision["counters"]["windows"]:
        stood = ", ".join(f"{name} {window[name]}" for name in WINDOW_FIELDS if name in window)
        say(f"             {shown(window['id'])} {window['window']}: {stood}")
    why = [f"{reason['code']} {reason.get('rule', '')}".strip() for reason in decision["reasons"]]
    why += [f"approved by {shown(vote['by'])}" for vote in decision["counters"].get("votes", [])]
    say(f"4 decision   {decision['decision']}: {', '.join(why)}")
    say(f"5 executed   {executed(events, intent, proof.get('signedTransaction', ''))}")


def held(proof: Document, kind: str, digest: str, hash_of: Any) -> str:
    """Return whether the document is in the proof; one that does not hash to its name is wrong."""
    document = proof.get(kind, {}).get(digest)
    if document is None:
        return "its document is not in this file"
    require(hash_of(document) == digest, f"a document in `{kind}` does not hash to its name")
    return "its document is in this file and hashes to it"


def executed(events: list[Document], intent: Document, raw_hex: str) -> str:
    """Return what left, after checking that it is the approved intent and nothing else."""
    by_type = {event["eventType"]: event for event in events}
    signed = by_type.get("transaction_signed")
    if signed is None:
        require(not raw_hex, "bytes were signed that the trail does not know")
        return "nothing was signed"
    about = {event.get("intentFingerprint", intent["fingerprint"]) for event in events}
    require(about == {intent["fingerprint"]}, "an event of the payment is about another intent")
    require("gate2_passed" in by_type, "bytes were signed that never passed Gate 2")
    ours = {e["transactionHash"] for e in events if e["eventType"] in {"transaction_signed", "transaction_replaced"}}
    hashes = {event["transactionHash"] for event in events if event.get("transactionHash")}
    require(hashes == ours, "an event of the payment is about another transaction")
    end = by_type.get("transaction_failed") or by_type.get("transaction_confirmed") or {}
    outcome = end.get("eventType", "not final").removeprefix("transaction_")
    transaction_hash = end.get("transactionHash") or signed["transactionHash"]
    if not raw_hex:
        return f"{transaction_hash}, {outcome}; its bytes are not in this file"
    raw = bytes.fromhex(raw_hex)
    require("0x" + keccak(raw).hex() == transaction_hash, "the signed bytes are not the transaction on the trail")
    paid = paid_by(raw, native=intent["asset"] if "/slip44:" in intent["asset"] else "")
    require(fingerprint(intent | paid) == intent["fingerprint"], "the signed bytes are not the approved intent")
    return f"{transaction_hash}, {outcome}; its bytes, signed by {paid['from']}, are exactly the approved intent"


def verify_payment(proof: Document, vkey: str) -> None:
    """Verify a payment's proof and print the five answers."""
    size, root = read_checkpoint(proof["checkpoint"], vkey)
    events = [proven_event(entry, size, root) for entry in proof["events"]]
    require({event["paymentId"] for event in events} == {proof["paymentId"]}, "the proof is not about one payment")
    say(f"{len(events)} events of {proof['paymentId']} are in the trail of {size} events")
    answer(events, proof)


def verify_export(lines: list[str], vkey: str, payment_id: str) -> None:
    """Verify a whole trail: one event a line, then one line with the checkpoint."""
    *bodies, last = lines
    size, root = read_checkpoint(json.loads(last)["checkpoint"], vkey)
    require(len(bodies) == size, f"the checkpoint covers {size} events, the file holds {len(bodies)}")
    events, time = [parsed(body.encode()) for body in bodies], ""
    for index, event in enumerate(events):
        require(event["sequence"] == index, f"line {index + 1} says that it is event {event['sequence']}")
        require(event["timestamp"] >= time, f"event {index} is older than the one before it")
        time = event["timestamp"]
    require(root_of([leaf(body.encode()) for body in bodies]) == root, "the events do not lead to the checkpoint")
    decisions = [event for event in events if event["eventType"] == "policy_decision"]
    intents = [event["intent"] for event in decisions]
    require(all(fingerprint(i) == i["fingerprint"] for i in intents), "an intent does not have its fingerprint")
    allowed = sum(event["decision"] == "ALLOW" for event in decisions)
    say(f"{size} events are whole and in order: {len(decisions)} decisions, {allowed} allowed")
    if payment_id:
        answer([event for event in events if event.get("paymentId") == payment_id], {})


def main() -> int:
    """Verify the file that the command line names."""
    parser = argparse.ArgumentParser(description="Verify a payment's proof (JSON) or a whole trail (JSON lines).")
    parser.add_argument("file", type=Path)
    parser.add_argument("--vkey", default="", help="the log's verifier key, from where it was published")
    parser.add_argument("--payment", default="", help="of a whole trail: the payment to answer for")
    arguments = parser.parse_args()
    try:
        text = arguments.file.read_text("utf-8")
        if text.startswith("{\n"):
            verify_payment(json.loads(text), arguments.vkey)
        else:
            verify_export(text.rstrip("\n").split("\n"), arguments.vkey, arguments.payment)
    except InvalidSignature:
        say("WRONG: the checkpoint is not signed by --vkey")
        return 3
    except (Wrong, ValueError, KeyError, TypeError) as error:
        say(f"WRONG: {error if isinstance(error, Wrong) else 'the file is neither a proof nor a trail'}")
        return 3
    if not arguments.vkey:
        print("UNVERIFIED KEY: nobody vouches for the checkpoint; give --vkey")
        return 3
    print("verified")
    return 0


if __name__ == "__main__":
    sys.exit(main())
