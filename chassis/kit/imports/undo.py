"""The undo: what the import made is deleted, what it overwrote restored; what was touched since is left and listed.

Histories and events of the records say cause import, as those of the run do: housekeeping of the import, which consumers take
as such, and not a fact about each record. That it was undone the import itself tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Uuid, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from chassis import codec
from chassis.db.statement import Statement
from chassis.kit import bulk, custom
from chassis.kit.imports import store
from chassis.kit.imports.adapter import Fixes
from chassis.kit.imports.preparing import BATCH, Job, custom_fields_of
from chassis.kit.save import Conflict
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_OWN = {"etag", "create_time", "update_time", "delete_time", "can"}
_LAST = 1 << 62


@dataclass(slots=True)
class _Verdict:
    """What the undo does to one record, and why it leaves something."""

    id: str
    undo: int
    reason: str = ""
    write: bulk.Write | None = None


async def undo(job: Job, *, preview: bool) -> None:
    """Goes through what the run wrote, the last first; with `preview` it only counts."""
    async with job.failing():
        await job.begin()
        total = await job.read(lambda tx: store.count_records(tx, job.id, store.WRITTEN))
        job.run.total = total
        before = job.run.position.get("before", _LAST)
        while True:
            rows = await job.read(
                lambda tx, before=before: store.last_records(tx, job.id, before, BATCH)  # type: ignore[misc]
            )
            if not rows:
                break
            before = rows[-1]["seq"]
            job.run.done += len(rows)
            await _step(job, rows, before, preview=preview)
        await _finish(job, preview=preview)


async def _step(job: Job, rows: Sequence[Any], before: int, *, preview: bool) -> None:
    async def step(tx: Tx) -> None:
        for resource in reversed(job.adapter.resources):
            mine = [row for row in rows if row["object"] == resource.name]
            if not mine:
                continue
            verdicts = await _judge(job, tx, resource, mine)
            writes = [v.write for v in verdicts if v.write is not None]
            if not preview and writes:
                outcome = await bulk.write(tx, resource, writes, actor=job.actor, cause=job.cause)
                if outcome.lost:
                    raise Conflict
                tx.cause = job.cause
                await job.adapter.written(tx, resource, [(w.message, w.old_doc) for w in writes])
            await store.mark_undo(tx, job.id, [(v.id, v.undo, v.reason) for v in verdicts])

    await job.run.write(step, position={"before": before})


async def _judge(
    job: Job, tx: Tx, resource: "Resource[Any]", rows: Sequence[Any]
) -> list[_Verdict]:
    ids = [str(row["record_id"]) for row in rows]
    now = {str(r["id"]): r["doc"] for r in await resource.rows(tx, ids)}
    present = {id: resource.message.FromString(doc) for id, doc in now.items()}
    wanted = [
        (id, v)
        for id, row in zip(ids, rows, strict=True)
        for v in (row["base_version"], row["written_version"])
        if v and id in now and present[id].etag != str(v)  # most are what the import wrote
    ]
    past = await _docs_at(tx, resource, wanted) if wanted else {}
    made = [id for id, row in zip(ids, rows, strict=True) if not row["base_version"] and id in now]
    referred = await job.adapter.referred(tx, resource, made, job.id) if made else {}
    verdicts, rights = [], job.rights
    for id, row in zip(ids, rows, strict=True):
        if id not in now:
            verdicts.append(_gone(id, row))
            continue
        doc, current = now[id], present[id]
        untouched = current.etag == str(row["written_version"])
        written = doc if untouched else past.get((id, row["written_version"]), b"")
        base = past.get((id, row["base_version"]), b"")
        if not rights.reaches(resource.object, "update", *resource.scope_of_message(current)):
            verdict = _Verdict(id, store.LEFT, f"you may not change this {resource.object}")
        elif not written or (row["base_version"] and not base):
            verdict = _Verdict(id, store.LEFT, "its earlier version is not kept any more")
        elif row["base_version"] and (reason := _fixed(job, current)):
            verdict = _Verdict(id, store.LEFT, reason)
        elif row["base_version"]:
            verdict = _restored(resource, id, base, written, doc)
        elif reason := _edited(resource, written, doc) or referred.get(id, ""):
            verdict = _Verdict(id, store.LEFT, reason)
        else:
            current.delete_time.CopyFrom(to_timestamp(tx.now))
            verdict = _Verdict(id, store.DELETED, "", bulk.Write(current, doc, "deleted"))
        verdicts.append(verdict)
    return verdicts


def _gone(id: str, row: Any) -> _Verdict:
    """A record that somebody deleted: of one that the import made nothing is left to do."""
    if not row["base_version"]:
        return _Verdict(id, store.DELETED)
    return _Verdict(id, store.LEFT, "it was deleted since")


def _fixed(job: Job, current: Any) -> str:
    """Why a record that the import changed may not be changed back; empty if it may."""
    return job.adapter.fixed(current) if isinstance(job.adapter, Fixes) else ""


def _edited(resource: "Resource[Any]", written: bytes, doc: bytes) -> str:
    """Which fields were edited since the import; empty if none."""
    if doc == written:
        return ""
    message = resource.message
    paths = codec.changed_paths(message.FromString(written), message.FromString(doc))
    named = [path for path in paths if path not in _OWN]
    return f"edited since: {', '.join(named)}" if named else ""


def _restored(
    resource: "Resource[Any]", id: str, base: bytes, written: bytes, doc: bytes
) -> _Verdict:
    """Gives each field that the import changed its old value, unless somebody changed it since."""
    old, imported, target = (resource.message.FromString(d) for d in (base, written, doc))
    ours = [p for p in codec.changed_paths(old, imported) if p not in _OWN]
    since = set(codec.changed_paths(imported, target))
    done = set(ours) - set(codec.changed_paths(old, target))
    left = sorted(set(ours) & since - done)
    codec.merge(target, old, [p for p in ours if p not in left])
    reason = f"edited since: {', '.join(left)}" if left else ""
    return _Verdict(id, store.LEFT if left else store.RESTORED, reason, bulk.Write(target, doc))


async def _docs_at(
    tx: Tx, resource: "Resource[Any]", versions: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], bytes]:
    """The bytes of records at versions."""
    ids, numbers = [id for id, _ in versions], [number for _, number in versions]
    rows = await tx.fetch(_docs_statement(resource), ids=ids, numbers=numbers)
    return {(str(row["id"]), row["version"]): row["doc"] for row in rows}


def _docs_statement(resource: "Resource[Any]") -> Statement:
    known: dict[str, Statement] = resource.metadata.info.setdefault("import_history", {})
    if resource.name not in known:
        h = resource.history.c
        wanted = func.unnest(
            bindparam("ids", type_=ARRAY(Uuid)), bindparam("numbers", type_=ARRAY(BigInteger))
        )
        pairs = wanted.table_valued("id", "version", name="wanted").render_derived()
        known[resource.name] = Statement(
            select(h.id, h.version, h.doc)
            .select_from(pairs)
            .join(resource.history, tuple_(h.id, h.version) == tuple_(pairs.c.id, pairs.c.version))
            .where(h.tenant_id == bindparam("tenant_id", type_=Uuid))
        )
    return known[resource.name]


async def _finish(job: Job, *, preview: bool) -> None:
    async def done(tx: Tx, imported: pb.Import) -> None:
        imported.undo.CopyFrom(await store.undo_counts(tx, job.id, preview=preview))
        if preview:
            return
        imported.state = pb.Import.STATE_UNDONE
        await job.adapter.undone(tx)
        if imported.custom_field_ids and not imported.undo.left:
            await _drop_custom_fields(tx, imported)

    await job.change(done)


async def _drop_custom_fields(tx: Tx, imported: pb.Import) -> None:
    """Deletes the custom fields that the run made; nothing that it wrote has a value in them any more."""
    fields = custom_fields_of(tx)
    for field in await fields.find_many(tx, list(imported.custom_field_ids)):
        fields.delete(tx, field)
        custom.announce(tx, field)
    del imported.custom_field_ids[:]
