"""The deals of shops' orders."""

from sqlalchemy import Text, bindparam

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals

_BY_ORDER = deals.select(deals.view.c.order_key == bindparam("of_order", type_=Text))


async def deal_of_order(tx: Tx, key: str) -> deal_pb2.Deal | None:
    """The living deal of this order, if there is one."""
    found = await deals.find_where(tx, _BY_ORDER, of_order=key)
    return found[0] if found else None
