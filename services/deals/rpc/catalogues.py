"""Reasons and sales methods."""

from chassis.handlers import Servicer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import deal_reason_pb2, sales_method_pb2
from services.deals import store
from services.deals.rules import catalogues as rules


async def check_reason(
    tx: Tx, new: deal_reason_pb2.DealReason, old: deal_reason_pb2.DealReason | None
) -> None:
    """Keeps I3: what a reason explains never changes."""
    rules.keep_kind(new, old)
    rules.normalise(new)


async def check_method(
    tx: Tx, new: sales_method_pb2.SalesMethod, old: sales_method_pb2.SalesMethod | None
) -> None:
    rules.normalise(new)


class DealReasons(standard(store.deal_reasons, on_save=check_reason), Servicer):  # type: ignore[misc]
    """`/v1/dealReasons`."""


class SalesMethods(standard(store.sales_methods, on_save=check_method), Servicer):  # type: ignore[misc]
    """`/v1/salesMethods`."""
