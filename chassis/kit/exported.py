"""What an export tells the audit: who took out how many records, chosen by which fields, and never a value of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chassis import contracts
from chassis.kit.filter import fields_named, parse
from chassis.tx import Tx
from crm.common.v1 import audit_pb2
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.operation_runs import OperationRun

ACTION = "export"
_MOST = 500  # characters of a detail, as AuditedAction allows


def tell(
    tx: Tx,
    run: "OperationRun",
    resource: "Resource[Any]",
    columns: Sequence[str],
    record_count: int,
) -> None:
    """Emits the service's own RecordsExported in the name of who asked; LookupError if its events.proto has none."""
    name = f"{resource.package}.RecordsExported"
    event = contracts.message_class(name)
    if event is None:
        raise LookupError(f"{name} is not declared, so the audit would not learn of exports")
    tx.actor = run.actor
    audited = audit_pb2.AuditedAction(
        action=ACTION, object=resource.object, session_id=run.actor.session_id,
        details=details(run.request, columns, record_count),
    )  # fmt: skip
    tx.emit(
        event(
            operation_id=run.id, object=resource.object, record_count=record_count, audited=audited
        )
    )


def details(request: Any, columns: Sequence[str], record_count: int) -> dict[str, str]:
    """Rows, format, columns and the names of the fields in the filter: its values, and words that were searched, may be a
    person's."""
    form = request.format or pb.FILE_FORMAT_CSV
    found = {
        "rows": str(record_count),
        "format": pb.FileFormat.Name(form).removeprefix("FILE_FORMAT_").lower(),
        "columns": _shortened(columns),
        "filtered_by": _shortened(sorted(fields_named(parse(request.filter)))),
        "searched": "yes" if request.q else "",
    }
    return {key: value for key, value in found.items() if value}


def _shortened(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
