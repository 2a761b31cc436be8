"""The certificate of an erasure: who asked, when, who has confirmed, what is left."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from chassis import erasure
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import common_pb2, privacy_pb2
from crm.contacts.v1 import privacy_pb2 as pb
from services.contacts.store import erasures
from services.contacts.store.erasures import ErasureRow


def who_answers() -> list[str]:
    """The services that keep something of persons and therefore confirm: those that declare such an event."""
    return sorted(erasure.answering("report", privacy_pb2.ErasureReport))


async def confirmed(event: Any, tx: Tx) -> None:
    """A service has answered; the last one makes the certificate complete."""
    report: privacy_pb2.ErasureReport = event.report
    row = await erasures.find_erasure(tx, report.erasure_id, lock=True)
    if row is None:
        return
    counts = {place.name: place.count for place in report.places}
    time_ = report.time.ToDatetime(tzinfo=UTC)
    await erasures.add_report(
        tx, row.id, report.service, places=counts, remains=list(report.remains), time=time_
    )
    said = {each["service"] for each in (await erasures.reports_of(tx, [row.id])).get(row.id, [])}
    if row.done_time is None and set(row.services) <= said:
        row.done_time = tx.now
        await erasures.save_erasure(tx, row)


def consumers() -> list[Callable[..., Any]]:
    """One for each event by which some service answers."""
    return erasure.hearing(
        "report", privacy_pb2.ErasureReport, confirmed, durable="contacts-erasure"
    )


async def shown(tx: Tx, row: ErasureRow) -> pb.Erasure:
    """The certificate as it is shown."""
    return (await all_shown(tx, [row]))[0]


async def all_shown(tx: Tx, rows: Sequence[ErasureRow]) -> list[pb.Erasure]:
    """Several at once."""
    said = await erasures.reports_of(tx, [row.id for row in rows])
    return [_shown(row, said.get(row.id, [])) for row in rows]


def _shown(row: ErasureRow, reports: Sequence[Any]) -> pb.Erasure:
    shown = pb.Erasure(
        id=row.id, contact_id=row.contact_id, merged_ids=row.merged_ids, reason=row.reason,
        actor=common_pb2.ActorRef(**row.actor), create_time=to_timestamp(row.create_time),
        operation=f"operations/contacts/{row.operation_id}",
        state=pb.Erasure.STATE_DONE if row.done_time else pb.Erasure.STATE_RUNNING,
    )  # fmt: skip
    for name in ("erase_time", "done_time", "reapply_time"):
        if (moment := getattr(row, name)) is not None:
            getattr(shown, name).FromDatetime(moment)
    for each in reports:
        shown.confirmations.add(
            erasure_id=row.id, service=each["service"], places=erasure.places(each["places"]),
            time=to_timestamp(each["time"]), remains=each["remains"],
        )  # fmt: skip
    shown.missing_services.extend(sorted(set(row.services) - {each["service"] for each in reports}))
    return shown
