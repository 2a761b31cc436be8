"""A person's data as a whole: previewed, erased, certified, handed out."""

from typing import Any

from chassis import erasure, phones
from chassis.errors import InvalidArgument, NotFound, Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit.page_token import PageTokenError
from chassis.kit.resource import checked_id
from chassis.tx import Tx
from crm.contacts.v1 import privacy_pb2 as pb
from services.contacts import (
    certificates,
    erasing,
    erasure_list,
    errors,
    personal_data,
    store,
)
from services.contacts.store import erasures, privacy

PAGE = 50


class Privacy(Servicer):
    """`/v1/contacts/{id}:erase`, `/v1/erasures`, `/v1/contacts/{id}:exportPersonalData`."""

    service = "crm.contacts.v1.PrivacyService"

    @reads
    async def PreviewErasure(self, request: pb.PreviewErasureRequest, tx: Tx) -> pb.ErasurePreview:
        contact, ids = await _asked(tx, request.id)
        person = await erasing.look(tx, ids)
        counts = {table: len(records) for table, records in person.standing.items()}
        counts |= {
            "contacts": len(ids),
            "requests": len(person.requests),
            "files": len(person.files),
        }
        counts |= await privacy.count_rows(tx, [*ids, *person.records], person.requests)
        return pb.ErasurePreview(
            contact_id=contact.id, merged_ids=person.ids[1:], confirmation=contact.display_name,
            places=erasure.places({place: count for place, count in counts.items() if count}),
            services=certificates.who_answers(), also_found=await _also_found(tx, person),
        )  # fmt: skip

    @writes
    async def EraseContact(self, request: pb.EraseContactRequest, tx: Tx) -> pb.Erasure:
        contact, ids = await _asked(tx, request.id, etag=request.etag)
        if request.confirmation.strip() != contact.display_name.strip():
            raise errors.ErasureNotConfirmed
        row = await erasing.begin(tx, contact, ids, request.reason)
        return await certificates.shown(tx, row)

    @reads
    async def GetErasure(self, request: pb.GetErasureRequest, tx: Tx) -> pb.Erasure:
        row = await erasures.find_erasure(tx, checked_id("erasure", request.id))
        if row is None:
            raise NotFound(f"there is no erasure {request.id}")
        return await certificates.shown(tx, row)

    @reads
    async def ListErasures(
        self, request: pb.ListErasuresRequest, tx: Tx
    ) -> pb.ListErasuresResponse:
        size = request.page_size or PAGE
        dialled = phones.parse(request.phone, tx.directory.tenant().get("country", ""))
        phone = dialled.number if dialled else request.phone
        hashes = erasure_list.asked_hashes(tx, phone, request.email)
        identity = f"{tx.tenant}|erasures|{hashes}"
        before = _place(tx, request.page_token, identity) if request.page_token else ""
        rows = await erasures.read_erasures(tx, hashes=hashes, before=before, size=size + 1)
        answer = pb.ListErasuresResponse(erasures=await certificates.all_shown(tx, rows[:size]))
        if len(rows) > size:
            answer.next_page_token = tx.runtime.page_tokens.make(
                [rows[size - 1].id], True, identity
            )
        return answer

    @writes
    async def ExportPersonalData(self, request: pb.ExportPersonalDataRequest, tx: Tx) -> Any:
        contact, _ = await _asked(tx, request.id, action="export_personal_data")
        request.id = contact.id
        return await tx.start_operation(personal_data.KIND, request)


async def _asked(
    tx: Tx, id: str, *, etag: str = "", action: str = "erase"
) -> tuple[Any, list[str]]:
    """The contact that lives under this id, if the caller may do that, and the ids of all that went into it."""
    ids = await erasing.family(tx, checked_id("contact", id))
    # A deleted contact is personal data too.
    try:
        contact = await store.contacts.get(tx, ids[0], etag=etag, action=action, deleted=True)
    except NotFound:
        raise store.contacts.not_found(id) from None
    return contact, ids


async def _also_found(tx: Tx, person: erasing.Person) -> list[pb.FoundElsewhere]:
    traits = person.traits
    rows = await privacy.found_elsewhere(
        tx,
        person.ids,
        digits=sorted(traits.digits),
        emails=sorted(traits.emails - {""}),
        names=sorted(traits.folded_names),
    )
    found = []
    for resource, row in rows:
        value = "phone" if row["phone"] else "email" if row["email"] else "name"
        readable = resource.reaches(tx, row, "read") and tx.rights.may(resource.object, "read")
        found.append(
            pb.FoundElsewhere(
                object=resource.object, id=str(row["id"]) if readable else "", value=value
            )
        )
    return found


def _place(tx: Tx, token: str, identity: str) -> str:
    try:
        return str(tx.runtime.page_tokens.read(token, shape=identity).values[0])
    except PageTokenError as error:
        raise InvalidArgument(str(error), [Violation("page_token", str(error))]) from None
