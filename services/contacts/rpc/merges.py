"""Merges: previewed, done, listed and undone."""

from typing import Any

import orjson
from google.protobuf.struct_pb2 import Value

from chassis import codec
from chassis.call import Cause
from chassis.errors import NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.kit.resource import checked_id
from chassis.kit.save import Conflict
from chassis.kit.standard import refuse_unwritable
from chassis.tx import Tx
from crm.contacts.v1 import merge_pb2 as pb
from services.contacts import duplicates, merging, store
from services.contacts.rules import merging as rules
from services.contacts.store.merges import MergeRow

PAGE = 50
_WINDOW = 200  # rows read at once
_MOST_WINDOWS = 20


class Merges(Servicer):
    """`/v1/contacts/{id}:merge`, `/v1/companies/{id}:merge`, `/v1/merges`."""

    @writes
    async def MergeContacts(self, request: pb.MergeContactsRequest, tx: Tx) -> pb.Merge:
        return await _merge(tx, "contact", request)

    @writes
    async def MergeCompanies(self, request: pb.MergeCompaniesRequest, tx: Tx) -> pb.Merge:
        return await _merge(tx, "company", request)

    @writes
    async def PreviewMergeContacts(
        self, request: pb.MergeContactsRequest, tx: Tx
    ) -> pb.MergePreview:
        return await _preview(tx, "contact", request)

    @writes
    async def PreviewMergeCompanies(
        self, request: pb.MergeCompaniesRequest, tx: Tx
    ) -> pb.MergePreview:
        return await _preview(tx, "company", request)

    @reads
    async def GetMerge(self, request: pb.GetMergeRequest, tx: Tx) -> pb.Merge:
        return merging.shown(await _readable(tx, request.id))

    @reads
    async def ListMerges(self, request: pb.ListMergesRequest, tx: Tx) -> pb.ListMergesResponse:
        size = request.page_size or PAGE
        identity = f"{tx.tenant}|merges|{request.party_id}|{request.batch_id}"
        before = _place(tx, request.page_token, identity) if request.page_token else ""
        answer = pb.ListMergesResponse()
        for _ in range(_MOST_WINDOWS):
            rows = await store.merges.read_merges(
                tx,
                party_id=request.party_id,
                batch_id=request.batch_id,
                before=before,
                size=_WINDOW,
            )
            shown = await _readable_of(tx, rows)
            for at, row in enumerate(rows, start=1):
                before = row.id
                if row.id in shown:
                    answer.merges.append(merging.shown(row))
                if len(answer.merges) == size:
                    if at < len(rows) or len(rows) == _WINDOW:
                        answer.next_page_token = tx.runtime.page_tokens.make(
                            [before], True, identity
                        )
                    return answer
            if len(rows) < _WINDOW:
                return answer
        answer.next_page_token = tx.runtime.page_tokens.make([before], True, identity)
        return answer

    @writes
    async def UndoMerge(self, request: pb.UndoMergeRequest, tx: Tx) -> pb.UndoMergeResponse:
        row = await _readable(tx, request.id)
        for id in (row.survivor_id, *row.merged_ids):
            await _may_merge(tx, row.object, id)
        tx.cause = Cause("undo", row.id)
        undone = await merging.undo(tx, [row.id])
        survivor = await _survivor(tx, row)
        return pb.UndoMergeResponse(
            merge=merging.shown(undone.rows[0], survivor),
            kept=undone.kept[: merging.MOST_KEPT],
            kept_count=len(undone.kept),
        )

    @writes
    async def UndoMerges(self, request: pb.UndoMergesRequest, tx: Tx) -> Any:
        ids = await store.merges.merges_of_batch(tx, request.batch_id)
        if not ids:
            raise NotFound(
                f"there is no merge of an operation {request.batch_id} that could be undone"
            )
        for row in await store.merges.find_merges(tx, ids[:1]):
            await tx.require(row.object, "merge")
        return await tx.start_operation(duplicates.UNDO_ALL, request)


# -- merging -------------------------------------------------------------------------------------------


async def _asked(tx: Tx, object: str, request: Any) -> merging.Group:
    """What the request asks for, if the caller may merge every record of it."""
    resource = store.PARTIES[object]
    paths = list(request.choices)
    known = [path for path in paths if codec.has_path(resource.message.DESCRIPTOR, path)]
    refuse_unwritable(tx, resource, known)
    asked = merging.Group(request.id, tuple(request.merged_ids), dict(request.choices))
    group = await merging.resolved(tx, object, asked)
    await _mergeable(tx, object, group.survivor_id, etag=request.etag)
    for id in group.merged_ids:
        await _mergeable(tx, object, id)
    return group


async def _mergeable(tx: Tx, object: str, id: str, *, etag: str = "") -> None:
    """Refuses what the caller may not merge; Conflict if it went into another since it was looked for."""
    try:
        await store.PARTIES[object].get(tx, id, etag=etag, action="merge")
    except NotFound:
        if await store.merges.survivors(tx, object, [id]):
            raise Conflict from None
        raise


async def _merge(tx: Tx, object: str, request: Any) -> pb.Merge:
    group = await _asked(tx, object, request)
    records = await merging.load(tx, object, [group])
    (row,) = await merging.merge(tx, object, [group], records)
    return merging.shown(row, records.get(object, row.survivor_id))


async def _preview(tx: Tx, object: str, request: Any) -> pb.MergePreview:
    """Computed as the merge would be, under the same locks; nothing is written."""
    group = await _asked(tx, object, request)
    records = await merging.load(tx, object, [group])
    result = merging.united(records, object, group)
    parts = [records.get(object, id) for id in (group.survivor_id, *group.merged_ids)]
    preview = pb.MergePreview()
    resource = store.PARTIES[object]
    limited = [showing.limited(tx, resource, _copied(part)) for part in parts]
    shown = showing.limited(tx, resource, _copied(result))
    for path in rules.differing(limited):
        field = preview.fields.add(
            field=path, chosen_id=rules.chosen(limited, shown, path, group.choices)
        )
        for part in limited:
            value = rules.as_json(part, path)
            if value is not None:
                field.options.add(id=part.id, value=codec.from_json(orjson.dumps(value), Value))
    getattr(preview, object).CopyFrom(result)
    for kind, ids in sorted((await records.referring(object, group.merged_ids)).items()):
        preview.moved.add(object=kind, count=len(ids))
    return preview


def _copied(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


# -- reading -------------------------------------------------------------------------------------------


async def _readable(tx: Tx, id: str) -> MergeRow:
    """The merge, if the caller may read its survivor; NotFound otherwise."""
    rows = await store.merges.find_merges(tx, [checked_id("merge", id)])
    if not rows or rows[0].id not in await _readable_of(tx, rows):
        raise NotFound(f"there is no merge {id}")
    return rows[0]


async def _readable_of(tx: Tx, rows: list[MergeRow]) -> set[str]:
    """The ids of those merges whose survivor, as it lives now, the caller may read."""
    found: set[str] = set()
    for object, resource in store.PARTIES.items():
        mine = [row for row in rows if row.object == object]
        if not mine or not tx.rights.may(object, "read"):
            continue
        now = await store.merges.survivors(tx, object, [row.survivor_id for row in mine])
        ids = {row.id: now.get(row.survivor_id, row.survivor_id) for row in mine}
        read = {
            str(row["id"])
            for row in await store.referring.scopes(tx, object, ids.values())
            if resource.reaches(tx, row, "read")
        }
        found |= {id for id, survivor_id in ids.items() if survivor_id in read}
    return found


async def _may_merge(tx: Tx, object: str, id: str) -> None:
    """PermissionDenied unless the caller may merge this record, deleted ones too."""
    resource = store.PARTIES[object]
    for row in await store.referring.scopes(tx, object, [id]):
        await tx.require(object, "merge", *resource.scope_of(row))


async def _survivor(tx: Tx, row: MergeRow) -> Any | None:
    """The survivor as it is now, if it lives and the caller may read it."""
    now = await store.merges.survivors(tx, row.object, [row.survivor_id])
    resource = store.PARTIES[row.object]
    rows = await resource.rows(tx, [now.get(row.survivor_id, row.survivor_id)])
    return resource.message.FromString(rows[0]["doc"]) if rows else None


def _place(tx: Tx, token: str, identity: str) -> str:
    return str(tx.runtime.page_tokens.read(token, shape=identity).values[0])
