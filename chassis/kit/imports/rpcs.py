"""The RPCs of imports and exports, and the bodies of their operations, for the resources that a service has adapters of."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chassis import errors
from chassis.errors import Violation
from chassis.handlers import Servicer, operation, reads, writes
from chassis.kit import showing
from chassis.kit.imports import exporting, forgetting, planning, running, store, undo
from chassis.kit.imports.adapter import Adapter, ImportBusy, ImportWrongState, MappingInvalid
from chassis.kit.imports.preparing import Job
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.operation_runs import OperationRun

S = pb.Import
_UNDER_WAY = {
    S.STATE_READING: "being read", S.STATE_PLANNING: "being planned", S.STATE_RUNNING: "running",
    S.STATE_UNDOING: "being undone",
}  # fmt: skip
# An operation that broke off leaves its state behind; whether it is over is asked of the operation.
_BEFORE_RUN = (
    S.STATE_UPLOADED, S.STATE_PLANNED, S.STATE_FAILED, S.STATE_READING, S.STATE_PLANNING,
)  # fmt: skip
_WRITTEN = (
    S.STATE_DONE, S.STATE_CANCELLED, S.STATE_FAILED, S.STATE_UNDONE, S.STATE_RUNNING, S.STATE_UNDOING,
)  # fmt: skip
_AFTER_CANCEL = {
    S.STATE_READING: S.STATE_FAILED, S.STATE_PLANNING: S.STATE_UPLOADED, S.STATE_RUNNING: S.STATE_CANCELLED,
    S.STATE_UNDOING: S.STATE_DONE,
}  # fmt: skip
_READ_ANEW = ("format", "encoding", "separator", "sheet", "header_row")
_CUSTOM_TYPES = (
    common_pb2.CUSTOM_FIELD_TYPE_UNSPECIFIED, common_pb2.CUSTOM_FIELD_TYPE_TEXT,
    common_pb2.CUSTOM_FIELD_TYPE_NUMBER, common_pb2.CUSTOM_FIELD_TYPE_DECIMAL,
    common_pb2.CUSTOM_FIELD_TYPE_DATE, common_pb2.CUSTOM_FIELD_TYPE_YES_NO,
)  # fmt: skip
_FIXED = ("resource", "file_id")


def import_rpcs(imports: "Resource[pb.Import]", adapters: Mapping[str, Adapter]) -> type:
    """A mixin with the RPCs of imports; `adapters` by the plural of their resource."""

    async def check(tx: Tx, new: pb.Import, old: pb.Import | None) -> None:
        await _check(tx, adapters, new, old)

    class Imports(standard(imports, check), Servicer):  # type: ignore[misc]
        """`/v1/imports`."""

        @writes
        async def CreateImport(self, request: Any, tx: Tx) -> pb.Import:
            made: pb.Import = await super().CreateImport(request, tx)
            return await _start(tx, imports, made, "import:read")

        @writes
        async def UpdateImport(self, request: Any, tx: Tx) -> pb.Import:
            changed: pb.Import = await super().UpdateImport(request, tx)
            if set(request.update_mask.paths) & set(_READ_ANEW):
                changed.state = S.STATE_READING
                return await _start(tx, imports, changed, "import:read")
            return changed

        @writes
        async def PlanImport(self, request: Any, tx: Tx) -> Any:
            imported = await _idle(tx, imports, request.id)
            if imported.state not in _BEFORE_RUN or (
                await store.count_records(tx, imported.id, store.WRITTEN)
            ):
                raise ImportWrongState(
                    imported.state, "only one that has written nothing is planned"
                )
            _check_rights(tx, adapters, imported)
            imported.state = S.STATE_PLANNING
            return await _operation(tx, imports, imported, "import:plan", request)

        @writes
        async def RunImport(self, request: Any, tx: Tx) -> Any:
            imported = await _idle(tx, imports, request.id)
            if imported.state not in (S.STATE_PLANNED, S.STATE_CANCELLED, S.STATE_RUNNING):
                raise ImportWrongState(imported.state, "plan it first")
            _check_rights(tx, adapters, imported)
            imported.state = S.STATE_RUNNING
            return await _operation(tx, imports, imported, "import:run", request)

        @writes
        async def CancelImport(self, request: Any, tx: Tx) -> pb.Import:
            imported = await imports.get(tx, request.id, action="run")
            if imported.state not in _UNDER_WAY:
                raise ImportWrongState(imported.state, "nothing is under way that could be stopped")
            await tx.runtime.operations.cancel(tx, imported.operation.rpartition("/")[2])
            imported.state = _AFTER_CANCEL[imported.state]
            if imported.state == S.STATE_CANCELLED:
                adapter = adapters[imported.resource]
                imported.outcome.CopyFrom(
                    await store.counts(tx, imported.id, adapter.resource.name, planned=False)
                )
            imports.save(tx, imported)
            return imported

        @writes
        async def PreviewUndoImport(self, request: Any, tx: Tx) -> Any:
            imported = await _idle(tx, imports, request.id, action="undo")
            _check_written(imported)
            return await _operation(tx, imports, imported, "import:previewUndo", request)

        @writes
        async def UndoImport(self, request: Any, tx: Tx) -> Any:
            imported = await _idle(tx, imports, request.id, action="undo")
            _check_written(imported)
            imported.state = S.STATE_UNDOING
            return await _operation(tx, imports, imported, "import:undo", request)

        @reads
        async def ListImportRows(self, request: Any, tx: Tx) -> Any:
            await imports.row(tx, request.id)
            return await _rows(tx, request)

    return Imports


# -- checks ------------------------------------------------------------------------------------


async def _check(
    tx: Tx, adapters: Mapping[str, Adapter], new: pb.Import, old: pb.Import | None
) -> None:
    if new.resource not in adapters:
        known = ", ".join(sorted(adapters))
        raise MappingInvalid([Violation("resource", f"{new.resource!r} cannot be imported; {known} can")])  # fmt: skip
    adapter = adapters[new.resource]
    if old is None:
        new.state, new.owner_id = S.STATE_READING, tx.actor.user_id
        return
    await _idle_check(tx, old)
    if old.state not in _BEFORE_RUN:
        raise ImportWrongState(old.state, "mapping and options are set before a run")
    fixed = [name for name in _FIXED if getattr(new, name) != getattr(old, name)]
    if fixed:
        raise MappingInvalid([Violation(name, "cannot be changed; begin another import") for name in fixed])  # fmt: skip
    _check_mapping(tx, adapter, new)
    kinds = {t.path: t.kind for t in adapter.targets(())}
    dates = [c for c in new.columns if kinds.get(c.field) == "date" and c.samples]
    new.options.date_example = (
        planning.date_example(dates[0], new.options.date_order) if dates else ""
    )
    new.state, new.failure = S.STATE_UPLOADED, ""
    new.ClearField("plan")
    del new.samples[:]


def _check_mapping(tx: Tx, adapter: Adapter, new: pb.Import) -> None:
    custom = tx.runtime.schemas.known(tx.tenant, adapter.resource).fields
    targets = {target.path: target for target in adapter.targets(custom.values())}
    wrong, used = [], set[str]()
    for at, column in enumerate(new.columns):
        where, path = f"columns[{at}].field", column.field
        if column.make_custom_field and not adapter.resource.has_custom:
            what = f"{adapter.plural} have no fields of their own; leave the column out"
            wrong.append(Violation(where, what))
        elif column.make_custom_field:
            wrong += _wrong_new_field(at, column, custom)
        elif path and path not in targets:
            wrong.append(
                Violation(where, f"{path} is unknown; the fields are {', '.join(targets)}")
            )
        if path in used and not (path in targets and targets[path].repeats):
            wrong.append(Violation(where, f"{path} is filled by another column already"))
        used |= {path} - {""}
    if len(set(new.options.match_by)) != len(new.options.match_by):
        wrong.append(Violation("options.match_by", "names a value twice"))
    if wrong:
        raise MappingInvalid(wrong)
    _check_visible(tx, adapter, [c.field for c in new.columns if c.field in targets])


def _wrong_new_field(
    at: int, column: pb.ImportColumn, custom: Mapping[str, Any]
) -> list[Violation]:
    key = column.field.removeprefix("custom.")
    where = f"columns[{at}]"
    if column.make_custom_field not in _CUSTOM_TYPES:
        return [Violation(f"{where}.make_custom_field", "must be TEXT, NUMBER, DECIMAL, DATE or YES_NO")]  # fmt: skip
    if not column.field.startswith("custom.") or not _is_key(key):
        return [Violation(f"{where}.field", "must be custom.<key>, the key of a-z, digits and _")]
    if key in custom and custom[key].type != column.make_custom_field:
        return [Violation(f"{where}.make_custom_field", f"custom.{key} exists and is of another type")]  # fmt: skip
    return []


def _is_key(key: str) -> bool:
    bare = key.replace("_", "")
    return 0 < len(key) <= 40 and key[0].isalpha() and bare.isalnum() and key.isascii() and key == key.lower()  # fmt: skip


def _check_visible(tx: Tx, adapter: Adapter, paths: Sequence[str]) -> None:
    """Nobody fills a field that his role hides from him."""
    targets = {target.path: target for target in adapter.targets(())}
    by_object = {resource.object: resource for resource in adapter.resources}
    own = []
    for path in paths:
        object, _, field = (targets[path].hides or path if path in targets else path).partition(".")
        if object in by_object and object != adapter.resource.object:
            showing.refuse_hidden(tx, by_object[object], [field])
        else:
            own.append(targets[path].hides or path if path in targets else path)
    showing.refuse_hidden(tx, adapter.resource, own)


def _check_rights(tx: Tx, adapters: Mapping[str, Adapter], imported: pb.Import) -> None:
    """Who imports must be able to create such records at all; single records are judged one by one."""
    adapter = adapters[imported.resource]
    if not tx.rights.may(adapter.resource.object, "create"):
        raise errors.PermissionDenied(f"you may not create {adapter.plural}; ask for that right")
    if imported.owner_id != tx.actor.user_id:
        raise errors.PermissionDenied("only who uploaded the file may plan and run its import")
    if not any(column.field for column in imported.columns):
        raise MappingInvalid([Violation("columns", "none fills a field; map at least one")])
    _check_mapping(tx, adapter, imported)


def _check_written(imported: pb.Import) -> None:
    if imported.state not in _WRITTEN:
        raise ImportWrongState(imported.state, "there is nothing to undo; run it first")


async def _idle_check(tx: Tx, imported: pb.Import) -> None:
    if imported.state in _UNDER_WAY:
        operation = await tx.runtime.operations.get(tx, imported.operation.rpartition("/")[2])
        if not operation.done:
            raise ImportBusy(_UNDER_WAY[imported.state])


async def _idle(tx: Tx, imports: "Resource[pb.Import]", id: str, *, action: str = "") -> pb.Import:
    imported = await imports.get(tx, id, action=action)
    forgetting.check_kept(imported)
    await _idle_check(tx, imported)
    return imported


async def _operation(
    tx: Tx, imports: "Resource[pb.Import]", imported: pb.Import, kind: str, request: Any
) -> Any:
    started: Any = await tx.start_operation(kind, request)
    imported.operation = started.name
    imports.save(tx, imported)
    return started


async def _start(
    tx: Tx, imports: "Resource[pb.Import]", imported: pb.Import, kind: str
) -> pb.Import:
    started: Any = await tx.start_operation(kind, pb.Import(id=imported.id))
    imported.operation = started.name
    imports.save(tx, imported)
    return imported


async def _rows(tx: Tx, request: Any) -> Any:
    size, shape = request.page_size or 50, f"{tx.tenant}|import_rows|{request.id}|{request.outcome}|{request.left}"  # fmt: skip
    tokens, after = tx.runtime.page_tokens, 0
    if request.page_token:
        after = int(str(tokens.read(request.page_token, shape=shape).values[0]))
    if request.left:
        rows = await store.left_rows(tx, request.id, after, size + 1)
    else:
        rows = await store.rows_of(tx, request.id, after, request.outcome, size + 1)
    answer = tx.call.method.output()  # type: ignore[union-attr]
    for row in rows[:size]:
        message = planning.row_message(row)
        message.left = request.left
        answer.rows.append(message)
    if len(rows) > size:
        last = rows[size - 1]
        place = await store.seq_of(tx, request.id, str(last["record_id"])) if request.left else last["line"]  # fmt: skip
        answer.next_page_token = tokens.make([place], False, shape)
    return answer


# -- operations --------------------------------------------------------------------------------


def operations(imports: "Resource[pb.Import]", adapters: Mapping[str, Adapter]) -> list[Any]:
    """The bodies of the service's import and export operations, for its manifest."""

    async def runtime_of(run: "OperationRun") -> Any:
        async def work(tx: Tx) -> Any:
            return tx.runtime

        return await run.write(work)

    async def job_of(run: "OperationRun") -> Job:
        runtime, id = await runtime_of(run), run.request.id  # type: ignore[attr-defined]

        async def resource(tx: Tx) -> str:
            imported = await imports.find(tx, id)
            if imported is None:
                raise imports.not_found(id)
            return imported.resource

        return Job(run, runtime, adapters[await run.write(resource)], imports, id)

    @operation("import:read")
    async def read(run: "OperationRun") -> None:
        await planning.read(await job_of(run))

    @operation("import:plan")
    async def plan(run: "OperationRun") -> None:
        await planning.plan(await job_of(run))

    @operation("import:run")
    async def run_(run: "OperationRun") -> None:
        await running.run(await job_of(run))

    @operation("import:previewUndo")
    async def preview_undo(run: "OperationRun") -> None:
        await undo.undo(await job_of(run), preview=True)

    @operation("import:undo")
    async def undo_(run: "OperationRun") -> None:
        await undo.undo(await job_of(run), preview=False)

    def exporter(adapter: Adapter) -> Any:
        @operation(f"export:{adapter.plural}")
        async def export(run: "OperationRun") -> Any:
            return await exporting.export(run, await runtime_of(run), adapter)

        return export

    return [read, plan, run_, preview_undo, undo_, *map(exporter, adapters.values())]
