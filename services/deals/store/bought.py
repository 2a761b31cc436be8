"""What customers have bought: their won deals (S43)."""

from collections.abc import Collection

from sqlalchemy import Uuid, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals

Deal = deal_pb2.Deal

_MOST = 50
"""Older sales say little about what is new to the customer."""

_WON = deals.select(
    deals.view.c.party_ids.overlap(bindparam("bought_by", type_=ARRAY(Uuid))),
    deals.view.c.state == Deal.STATE_WON,
    order=(deals.view.c.end_time.desc(), deals.view.c.id),
    limit=_MOST,
)


async def won_deals_of(tx: Tx, party_ids: Collection[str]) -> list[Deal]:
    """The last won deals of these contacts and companies, latest first, whoever owns them."""
    return await deals.find_where(tx, _WON, bought_by=list(party_ids)) if party_ids else []
