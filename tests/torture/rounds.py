"""Rounds of payments and kills on one home, and the judgement at the end."""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson

from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC
from mcp_wallet.devnet import DEV_USDC_ADDRESS
from mcp_wallet.devnet.client import rpc, start_devnet
from mcp_wallet.wiring.auditing import open_audit
from mcp_wallet.wiring.opening import open_home
from mcp_wallet.wiring.playground import POLICY, Playground, make_playground
from tests.node.faultproxy import Fault, FaultProxy
from tests.sim import checkers
from tests.sim.chain import Transfer
from tests.sim.checkers import Budget, Row, Told
from tests.torture.server import Server, Zygote

LIMITED = POLICY.replace('maxAmount: "50000.00"', 'maxAmount: "120.00"').replace("rolling: 24h", "rolling: 1m")
BUDGETS = (Budget(60_000, 120_000_000, by_agent=True),)
SERVERS = 2
PAYMENTS_A_ROUND = 3
SPAWNED_EVERY = 12
"""Every so often a server is started afresh instead of forked: imports and all."""
CALL_SECONDS_MAX = 30.0
REST_SECONDS_MAX = 120.0


@dataclass
class Summary:
    """What came of it; `details` are sentences."""

    seed: int
    rounds: int = 0
    kills: int = 0
    paid: int = 0
    details: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not any(self.details.values())

    def document(self) -> dict[str, Any]:
        """Return what `make torture` prints."""
        counted = {name: len(found) for name, found in self.details.items()}
        shown = {name: found[:10] for name, found in self.details.items() if found}
        return (
            {"seed": self.seed, "rounds": self.rounds, "kills": self.kills, "paid": self.paid}
            | counted
            | {"details": shown}
        )


@dataclass
class Torture:
    """One home under torture.

    Args:
        proxy: Stands before the chain's only node.
    """

    random: Random
    playground: Playground
    proxy: FaultProxy
    zygote: Zygote
    summary: Summary
    servers: list[Server] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    async def round(self) -> None:
        """Start what is missing, pay, kill at some moment, and let the node be well again."""
        while len(self.servers) < SERVERS:
            fresh = self.summary.kills % SPAWNED_EVERY == SPAWNED_EVERY - 1
            self.servers.append(await (self.zygote.spawn() if fresh else self.zygote.fork()))
        self.proxy.fault = self.random.choice([Fault.NONE, *Fault])
        calls = [asyncio.create_task(self._pay()) for _ in range(PAYMENTS_A_ROUND)]
        await asyncio.wait(calls, timeout=self.random.random() * 1.2, return_when=asyncio.ALL_COMPLETED)
        for server in self.random.sample(self.servers, self.random.randrange(1, SERVERS + 1)):
            server.kill()
            await server.gone()
            self.servers.remove(server)
            self.summary.kills += 1
        self.proxy.release(forward=self.random.random() < 0.5)
        self.proxy.fault = Fault.NONE
        await asyncio.wait(calls, timeout=CALL_SECONDS_MAX)
        self.summary.rounds += 1

    async def rest(self) -> None:
        """Let one server bring everything to its end."""
        server = await self.zygote.fork()
        until = time.monotonic() + REST_SECONDS_MAX
        await server.call("send_payment", to="mallory", amount="1")  # begins recovery, and is denied
        while time.monotonic() < until:
            found = [await server.call("list_payments", limit=100, status=s) for s in ("submitted", "unknown")]
            if not any(answer and answer["payment_ids"] for answer in found):
                break
            await asyncio.sleep(0.2)
        for each in (server, *self.servers):
            each.writer.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(each.gone(), 20)

    async def judge(self, chain_url: str) -> None:
        """Fill the summary: what the chain moved, what the ledger says, what clients were told."""
        playground, details = self.playground, self.summary.details
        async with open_home(playground.where) as home:
            records = await home.ledger.payments(limit=1_000_000)
            nonces = [r.nonce for r in records if r.nonce is not None]
        rows = [
            Row(r.payment_id, r.intent.reference, r.intent.to, r.intent.amount_units, str(r.state), r.transaction_hash)
            for r in records
        ]
        transfers = await _transfers(chain_url, playground.address)
        mined = await rpc(chain_url, "eth_getTransactionCount", [playground.address, "latest"])
        self.summary.paid = len(transfers)
        async with open_audit(playground.where) as room:
            events = [orjson.loads(body) for _, _, body in room.trail.rows()]
            notes = [note for anchor in room.anchors for note in anchor.notes]
            trail_errors = checkers.trail_holds(room.trail, notes, playground.verifier_key)
            trail_errors += checkers.checkpoints_hold(self.told, room.trail, playground.verifier_key)
        rest = checkers.at_rest(rows, ledger_nonce=max(nonces, default=-1) + 1, account_nonce=int(str(mined), 16))
        details["double_payments"] = checkers.paid_at_most_once(transfers)
        details["lost_acknowledgements"] = checkers.nothing_acknowledged_is_lost(self.told, rows, ())
        details["limits_exceeded"] = checkers.within_limits(events, BUDGETS)
        details["trail_errors"] = trail_errors + checkers.trail_is_complete(events, rows)
        details["unsettled"] = rest + checkers.effects_fit(rows, transfers)

    async def _pay(self) -> None:
        """Ask for a new payment, or again for one of the last few; remember what was answered."""
        if not self.asked or self.random.random() < 0.6:
            units = self.random.randrange(1, 8) * 1_000_000 + len(self.asked)
            amount = f"{units // 10**6}.{units % 10**6:06d}"
            to = self.random.choice(["alice", "bob"])
            self.asked.append({"to": to, "amount": amount, "reference": f"invoice {len(self.asked)}"})
            request = self.asked[-1]
        else:
            request = self.random.choice(self.asked[-12:])
        server = self.random.choice(self.servers)
        try:
            answer = await asyncio.wait_for(server.call("send_payment", **request), CALL_SECONDS_MAX)
        except TimeoutError:
            self.summary.details.setdefault("unanswered", []).append(request["reference"])
            return
        if answer:
            told = Told(request["reference"], answer["payment_id"], answer["status"], answer["checkpoint"])
            self.told.append(told)


async def torture(folder: Path, *, seed: int, seconds: float, rounds_max: int = 1_000_000) -> Summary:
    """Return what came of rounds on a new home in a folder, for so long or so many."""
    summary, until = Summary(seed), time.monotonic() + seconds
    async with await start_devnet() as chain, FaultProxy(chain.url) as proxy:
        playground = await make_playground(folder, node=proxy.url, policy=LIMITED)
        log = os.open(folder / "servers.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with Zygote(_environ(playground), log) as zygote:
            os.close(log)
            subject = Torture(Random(seed), playground, proxy, zygote, summary)
            while time.monotonic() < until and summary.rounds < rounds_max:
                await subject.round()
            await subject.rest()
        await subject.judge(chain.url)
    return summary


def _environ(playground: Playground) -> Mapping[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MCP_WALLET_")}
    return inherited | playground.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2])])}


async def _transfers(chain_url: str, sender: str) -> list[Transfer]:
    """Return every transfer of the test dollar out of the account."""
    topics = [TRANSFER_TOPIC, "0x" + sender[2:].lower().rjust(64, "0")]
    query = {"fromBlock": "0x0", "toBlock": "latest", "address": DEV_USDC_ADDRESS, "topics": topics}
    logs: Any = await rpc(chain_url, "eth_getLogs", [query])
    return [Transfer(log["transactionHash"], "0x" + log["topics"][2][26:], int(log["data"], 16)) for log in logs]
