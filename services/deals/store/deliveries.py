"""Deliveries, found by their deals and customers, how they stand and what carriers call them."""

from typing import Any

from sqlalchemy import Column, Index, SmallInteger, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.fold import search_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import delivery_pb2
from services.deals.store.schema import metadata

Delivery = delivery_pb2.Delivery


def _values(delivery: Delivery) -> dict[str, Any]:
    return {
        "owner_id": reference(delivery.owner_id),
        "department_id": reference(delivery.department_id),
        "follower_ids": list(delivery.follower_ids),
        "state": delivery.state,
        "tracking_number": delivery.tracking_number,
        "plan_time": moment(delivery, "plan_time"),
        "deal_id": reference(delivery.deal_id),
        "contact_id": reference(delivery.contact_id),
        "company_id": reference(delivery.company_id),
        "search": search_key(f"{delivery.carrier} {delivery.tracking_number}"),
    }


deliveries = Resource(
    Delivery,
    metadata,
    table="deliveries",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("state", SmallInteger, nullable=False), Column("tracking_number", Text, nullable=False),
        Column("plan_time", Moment), Column("deal_id", Uuid), Column("contact_id", Uuid), Column("company_id", Uuid),
        Column("search", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_deliveries_deal", "tenant_id", "deal_id"),
        Index("ix_deliveries_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_deliveries_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
        Index("ix_deliveries_tracking", "tenant_id", "tracking_number", postgresql_where=text("tracking_number <> ''")),
    ],
    fields={
        "state": choice("state", Delivery.State, "STATE_"),
        "tracking_number": Field("tracking_number", "text", sentinel=""),
        "plan_time": Field("plan_time", "timestamp", sortable=True),
        "deal_id": Field("deal_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
    },
    search="search",
)  # fmt: skip

_V = deliveries.view.c
_OF_DEAL = deliveries.select(
    _V.deal_id == bindparam("of_deal", type_=Uuid), order=(_V.create_time, _V.id)
)
_TRACKED = deliveries.select(
    _V.tracking_number == bindparam("tracking", type_=ARRAY(Text)).any_(),  # type: ignore[attr-defined]
    _V.tracking_number != text("''"),  # so that the index serves
)


async def deliveries_of(tx: Tx, deal_id: str) -> list[Delivery]:
    """Every living delivery of the deal, the first first."""
    return await deliveries.find_where(tx, _OF_DEAL, of_deal=deal_id)


async def deliveries_tracked(tx: Tx, tracking_number: str) -> list[Delivery]:
    """Every living delivery that has this number of a carrier, blanks left out too; none for an empty one."""
    spellings = sorted({tracking_number, "".join(tracking_number.split())} - {""})
    return await deliveries.find_where(tx, _TRACKED, tracking=spellings) if spellings else []
