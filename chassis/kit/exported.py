"""What an export tells the audit, and a list as of an instant that leaves a file: who took out how many records, chosen by
which fields, and never a value of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chassis import contracts
from chassis.kit.filter import fields_named, parse
from chassis.tx import Tx
from crm.common.v1 import audit_pb2

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.operation_runs import OperationRun

ACTION = "export"
_MOST = 500  # characters of a detail, as AuditedAction allows


def event_of(resource: "Resource[Any]") -> type[Any]:
    """The service's own RecordsExported; LookupError if its contract has none."""
    name = f"{resource.package}.RecordsExported"
    event = contracts.message_class(name)
    if event is None:
        raise LookupError(f"{name} is not declared, so the audit would not learn of exports")
    return event


def tell(
    tx: Tx,
    run: "OperationRun",
    resource: "Resource[Any]",
    record_count: int,
    details: Mapping[str, str],
) -> None:
    """Emits the service's own RecordsExported in the name of who asked."""
    tx.actor = run.actor
    audited = audit_pb2.AuditedAction(
        action=ACTION, object=resource.object, session_id=run.actor.session_id, details=details,
    )  # fmt: skip
    tx.emit(
        event_of(resource)(
            operation_id=run.id, object=resource.object, record_count=record_count, audited=audited
        )
    )


def details(
    request: Any, columns: Sequence[str], record_count: int, *, form: str, **more: str
) -> dict[str, str]:
    """Rows, format, columns and the names of the fields in the filter: its values, and words that were searched, may be a
    person's."""
    found = {
        "rows": str(record_count),
        "format": form,
        "columns": _shortened(columns),
        "filtered_by": _shortened(sorted(fields_named(parse(request.filter)))),
        "searched": "yes" if request.q else "",
        **more,
    }
    return {key: value for key, value in found.items() if value}


def _shortened(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
