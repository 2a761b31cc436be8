"""The ledger of consents and the catalogue of their purposes."""

from datetime import UTC, datetime
from typing import Any

from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import consent_pb2 as pb
from crm.contacts.v1 import consent_purpose_pb2
from services.contacts import consents, errors, store
from services.contacts.rules import catalogues
from services.contacts.rules import consents as rules

Purpose = consent_purpose_pb2.ConsentPurpose
PAGE = 50
_END = (datetime(9999, 1, 1, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff")


async def check_purpose(tx: Tx, new: Purpose, old: Purpose | None) -> None:
    """Keeps I7, and numbers the texts."""
    catalogues.keep_key("consent purpose", new, old)
    catalogues.normalise(new)
    rules.grow_text(new, old)


class ConsentPurposes(standard(store.purposes, on_save=check_purpose), Servicer):  # type: ignore[misc]
    """`/v1/consentPurposes`."""


class Consents(Servicer):
    """`/v1/contacts/{contact_id}/consents`, `/v1/consentStates:batchGet`."""

    @reads
    async def ListConsents(
        self, request: pb.ListConsentsRequest, tx: Tx
    ) -> pb.ListConsentsResponse:
        request.contact_id = await store.merges.survivor(tx, "contact", request.contact_id)
        await _require(tx, request.contact_id, "read")
        size, identity = request.page_size or PAGE, f"{tx.tenant}|consents|{request.contact_id}"
        before = _place(tx, request.page_token, identity) if request.page_token else _END
        rows = await store.consents_page(tx, request.contact_id, before, size + 1)
        answer = pb.ListConsentsResponse(consents=rows[:size])
        if len(rows) > size:
            last = rows[size - 1]
            place = [to_datetime(last.record_time), last.id]
            answer.next_page_token = tx.runtime.page_tokens.make(place, True, identity)
        return answer

    @writes
    async def RecordConsent(self, request: pb.RecordConsentRequest, tx: Tx) -> pb.Consent:
        request.contact_id = await store.merges.survivor(tx, "contact", request.contact_id)
        await _require(tx, request.contact_id, "create")
        row = request.consent
        rules.complete(row, id=tx.new_id(), contact_id=request.contact_id, now=tx.now)
        if not await store.purposes_of(tx, [row.purpose]):
            raise errors.ReferenceUnknown([("consent.purpose", f"consent purpose {row.purpose}")])
        await consents.write(tx, row)
        return row

    @reads
    async def BatchGetConsentStates(
        self, request: pb.BatchGetConsentStatesRequest, tx: Tx
    ) -> pb.BatchGetConsentStatesResponse:
        answer = pb.BatchGetConsentStatesResponse()
        ids = list(dict.fromkeys(request.contact_ids))
        may_read = {
            str(row["id"])
            for row in await store.contacts.rows(tx, ids)
            if tx.rights.reaches("consent", "read", *store.contacts.scope_of(row))
        }
        entries = await store.consents_of_contacts(tx, sorted(may_read))
        for id in ids:
            if id not in may_read:
                answer.missing_ids.append(id)
                continue
            states = rules.effective(entry for entry in entries if entry.contact_id == id)
            wanted = [s for s in states if request.purpose in ("", s.purpose)]
            answer.contacts.add(contact_id=id, states=wanted)
        return answer


async def _require(tx: Tx, contact_id: str, action: str) -> None:
    """NotFound for a contact that the caller may not read, PermissionDenied where he may not do this with its consents."""
    row: Any = await store.contacts.row(tx, contact_id)
    await tx.require("consent", action, *store.contacts.scope_of(row))


def _place(tx: Tx, token: str, identity: str) -> tuple[datetime, str]:
    time, id = tx.runtime.page_tokens.read(token, shape=identity).values
    assert isinstance(time, datetime)
    return time, str(id)


class ConsentsRpcs(Consents, ConsentPurposes):
    """Every RPC of the contract."""

    service = "crm.contacts.v1.ConsentsService"
