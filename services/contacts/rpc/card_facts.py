"""Card facts for whoever may read the record, without what is hidden from him."""

from collections.abc import Sequence
from typing import Any

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, reads, writes
from chassis.tx import Tx
from crm.contacts.v1 import card_facts_pb2 as pb
from services.contacts import facts, store


class CardFactsRpcs(Servicer):
    """`/v1/contacts/{id}/facts`, `/v1/companies/{id}/facts`, several at once, `/v1/cardFacts:rebuild`."""

    service = "crm.contacts.v1.CardFactsService"

    @reads
    async def GetContactFacts(self, request: pb.GetContactFactsRequest, tx: Tx) -> pb.CardFacts:
        return await _one(tx, "contact", request.id)

    @reads
    async def GetCompanyFacts(self, request: pb.GetCompanyFactsRequest, tx: Tx) -> pb.CardFacts:
        return await _one(tx, "company", request.id)

    @reads
    async def BatchGetContactFacts(
        self, request: pb.BatchGetContactFactsRequest, tx: Tx
    ) -> pb.BatchGetFactsResponse:
        return await _several(tx, "contact", request.ids)

    @reads
    async def BatchGetCompanyFacts(
        self, request: pb.BatchGetCompanyFactsRequest, tx: Tx
    ) -> pb.BatchGetFactsResponse:
        return await _several(tx, "company", request.ids)

    @writes
    async def RebuildCardFacts(
        self, request: pb.RebuildCardFactsRequest, tx: Tx
    ) -> operations_pb2.Operation:
        operation: Any = await tx.start_operation(facts.REBUILD, request)
        return operation


async def _one(tx: Tx, object: str, id: str) -> pb.CardFacts:
    resource, now = store.PARTIES[object], await store.merges.survivors(tx, object, [id])
    if not await resource.rows(tx, [now.get(id, id)]):
        raise resource.not_found(id)
    (row,) = await store.card_facts.rows(tx, object, [now.get(id, id)])
    return facts.shown(tx, object, row)


async def _several(tx: Tx, object: str, ids: Sequence[str]) -> pb.BatchGetFactsResponse:
    asked = list(dict.fromkeys(ids))
    merged = await store.merges.survivors(tx, object, asked)
    now = {id: merged.get(id, id) for id in asked}
    readable = {
        str(row["id"]) for row in await store.PARTIES[object].rows(tx, list(set(now.values())))
    }
    rows = {
        str(row["id"]): row for row in await store.card_facts.rows(tx, object, sorted(readable))
    }
    answer = pb.BatchGetFactsResponse()
    for id in asked:
        if now[id] in rows:
            answer.facts.append(facts.shown(tx, object, rows[now[id]]))
        else:
            answer.missing_ids.append(id)
    return answer
