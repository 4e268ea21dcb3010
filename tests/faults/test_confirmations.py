"""`get_payment` says how many blocks confirm a payment, and answers all the same when no node does."""

from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.ports import Chains
from mcp_wallet.wiring.opening import open_wallet
from mcp_wallet.wiring.playground import make_playground
from tests.fakechain import FakeChain
from tests.worlds import LOCAL


async def test_the_blocks_on_a_payment_are_counted_in_its_message(tmp_path):
    playground = await make_playground(tmp_path, node="http://127.0.0.1:1", funded=False)
    chain = FakeChain()
    wallet = await open_wallet(playground.where, chains=Chains({LOCAL: chain}))
    desk = wallet.desk(playground.agent_key)
    await desk.send_payment(PaymentRequest(to="alice", amount="1.00", reference="r1"))
    assert (await desk.get_payment(reference="r1")).message.endswith("Confirmed by 1 block so far.")

    chain.mined.clear()
    found = await desk.get_payment(reference="r1")
    assert (found.status, "so far" in found.message) == ("confirmed", False)
    await wallet.close()
