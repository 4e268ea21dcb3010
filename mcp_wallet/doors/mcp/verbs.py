"""The six verbs: raw arguments in, one call to the desk, its result out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pydantic import BaseModel

from mcp_wallet.contract.arguments import (
    Arguments,
    parse_limit,
    parse_name,
    parse_payment_key,
    parse_status,
    payment_request,
)
from mcp_wallet.contract.desk import Desk, Progress

Verb = Callable[[Desk, Arguments, Progress], Awaitable[BaseModel]]


async def _send_payment(desk: Desk, arguments: Arguments, progress: Progress) -> BaseModel:
    return await desk.send_payment(payment_request(arguments), progress=progress)


async def _simulate_payment(desk: Desk, arguments: Arguments, _: Progress) -> BaseModel:
    return await desk.simulate_payment(payment_request(arguments))


async def _check_budget(desk: Desk, arguments: Arguments, _: Progress) -> BaseModel:
    asset, chain = (parse_name(field, arguments[field]) for field in ("asset", "chain"))
    return await desk.check_budget(asset=asset, chain=chain)


async def _get_payment(desk: Desk, arguments: Arguments, _: Progress) -> BaseModel:
    return await desk.get_payment(**parse_payment_key(arguments))


async def _list_payments(desk: Desk, arguments: Arguments, _: Progress) -> BaseModel:
    return await desk.list_payments(limit=parse_limit(arguments["limit"]), status=parse_status(arguments["status"]))


async def _list_payees(desk: Desk, _: Arguments, __: Progress) -> BaseModel:
    return await desk.list_payees()


VERBS: Final[Mapping[str, Verb]] = {
    "send_payment": _send_payment,
    "check_budget": _check_budget,
    "simulate_payment": _simulate_payment,
    "get_payment": _get_payment,
    "list_payments": _list_payments,
    "list_payees": _list_payees,
}
