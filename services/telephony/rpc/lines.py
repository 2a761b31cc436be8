"""Lines, extensions and dispositions."""

from chassis.handlers import Servicer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.telephony.v1 import disposition_pb2, extension_pb2, line_pb2
from services.telephony import people, references, store
from services.telephony.rpc.settings import Settings
from services.telephony.rules import catalogues as rules


async def check_line(tx: Tx, new: line_pb2.Line, old: line_pb2.Line | None) -> None:
    """Its number is in international form, and what it names exists."""
    rules.check_line(new, people.country_of(tx))
    await references.connection(tx, new.connection_id)
    references.department(tx, new.department_id)
    for at, id in enumerate(new.user_ids):
        references.user(tx, id, f"user_ids[{at}]")


async def check_extension(
    tx: Tx, new: extension_pb2.Extension, old: extension_pb2.Extension | None
) -> None:
    """What it names exists."""
    rules.check_extension(new, people.country_of(tx))
    await references.connection(tx, new.connection_id)
    references.user(tx, new.user_id)
    await extension_changed(tx, new)


async def extension_changed(tx: Tx, extension: extension_pb2.Extension) -> None:
    """Whoever speaks with its exchange learns of it."""
    await store.leases.extensions_changed(tx, extension.connection_id)


async def check_disposition(
    tx: Tx, new: disposition_pb2.Disposition, old: disposition_pb2.Disposition | None
) -> None:
    rules.check_disposition(new, old)


class Lines(standard(store.lines, on_save=check_line), Servicer):  # type: ignore[misc]
    """`/v1/lines`."""


StandardExtension = standard(
    store.extensions,
    on_save=check_extension,
    on_delete=extension_changed,
    on_undelete=extension_changed,
)


class Extensions(StandardExtension, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/extensions`."""


class Dispositions(standard(store.dispositions, on_save=check_disposition), Servicer):  # type: ignore[misc]
    """`/v1/dispositions`."""


class LinesRpcs(Lines, Extensions, Dispositions, Settings):
    """Every RPC of lines_service.proto."""

    service = "crm.telephony.v1.LinesService"
