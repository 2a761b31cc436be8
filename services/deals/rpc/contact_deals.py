"""What is open with a person: what his card shows of deals, quotes and invoices."""

import orjson

from chassis import permits
from chassis.call import Raw
from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.kit.about import About, first_of
from chassis.tx import Tx
from crm.deals.v1 import contact_deals_pb2 as pb
from crm.deals.v1 import deal_pb2
from services.deals import store

_DEALS = "/crm.deals.v1.DealsService/"
_PIPELINES = _DEALS + "BatchGetPipelines"
_OF_PERSON = 'contact_id = "{id}" AND '
_OPEN = {
    "open_deals": About(
        _DEALS + "ListDeals", store.deals, 'party_ids:"{id}" AND state = OPEN'
    ),
    "open_quotes": About(
        "/crm.deals.v1.QuotesService/ListQuotes", store.quotes, _OF_PERSON + "state = SENT", "valid_until"
    ),
    "open_invoices": About(
        "/crm.deals.v1.InvoicesService/ListInvoices", store.invoices,
        _OF_PERSON + "(state = ISSUED OR state = PARTLY_PAID)", "instalments.due_date",
    ),
}  # fmt: skip


class ContactDeals(Servicer):
    """`/v1/contacts/{contact_id}/deals`."""

    @reads
    async def GetContactDeals(self, request: pb.GetContactDealsRequest, tx: Tx) -> Raw:
        assert tx.call is not None
        json = tx.call.wants_json
        found = await first_of(tx, request.contact_id, _OPEN)
        found["pipelines"] = await _pipelines(tx, found["open_deals"], json=json)
        return Raw(showing.joined(pb.ContactDeals, found, json=json), json=json)


async def _pipelines(tx: Tx, deals: list[bytes], *, json: bool) -> list[bytes]:
    """The pipelines in which the deals stand, as far as the caller sees where they stand."""
    if not permits.may(tx, _PIPELINES):
        return []
    named = (
        orjson.loads(deal).get("pipelineId", "")
        if json
        else deal_pb2.Deal.FromString(deal).pipeline_id
        for deal in deals
    )
    ids = sorted({id for id in named if id})
    if not ids:
        return []
    rows = await store.pipelines.rows(tx, ids, showing.column_shown(tx, store.pipelines, json=json))
    rows.sort(key=lambda row: str(row["id"]))
    return showing.shown_page(tx, store.pipelines, rows, "json" if json else "doc")
