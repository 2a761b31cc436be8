"""A service's part when somebody is erased: it hears of it, takes what tells of him, has its database rewritten, and answers.

A service says by which event it is asked and what is to be taken. All of deals' part, and of what it hands out:

    # services/deals/erasing.py
    async def take(run: OperationRun) -> erasure.Counts:
        event: Any = run.request
        ids = {event.contact_id, *event.merged_ids, *event.record_ids}
        counts = await run.write(lambda tx: store.privacy.take(tx, sorted(ids)))
        await erasure.added(counts, erasure.sweep(run, ids))
        return counts

    async def everything(tx: Tx, event: asked.PersonalDataRequested) -> personal_data.Content:
        return {"deals": await store.privacy.about(tx, [event.contact_id, *event.merged_ids])}

    erased = erasure_part.Part(store.metadata, asked.ContactErased, take)
    handed_out = personal_data.Part(store.metadata, asked.PersonalDataRequested, everything)

    # services/deals/service.py
    service = Service(
        name="deals",
        consumers=[*erasing.erased.consumers, *erasing.handed_out.consumers],
        timers=[*erasing.erased.timers],
        operations=[*erasing.erased.operations, *erasing.handed_out.operations],
        ...
    )

Its contract declares the answers, as protos/crm/tasks/v1/privacy_events.proto does. Records that name files, and files that
operations leave: chassis/erasure_files.py, as services/tasks/erasing.py uses it.

`take` is the body of an operation and may be done twice. What asks for it holds nothing but ids. A timer sees to it that the
answer comes: it stands until the service has answered, and starts an operation again that ended without having done its work.
"""

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from sqlalchemy import MetaData, bindparam, text

from chassis import contracts, erasure
from chassis.call import Cause
from chassis.db.cleaning import Cleaned
from chassis.db.statement import Statement
from chassis.handlers import on, operation, timer
from chassis.operation_runs import OperationRun
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2

CLEAN = f"{erasure.CAUSE}-clean"
_WATCH = "erasure-watch"
_LOOK_AGAIN = timedelta(minutes=1)
_WATCHED = Statement(
    text(
        "SELECT payload->>'kind' AS kind, CAST(payload->'request' AS text) AS request FROM timers"
        " WHERE tenant_id = :tenant_id AND kind = :kind"
    ).bindparams(bindparam("tenant_id"), bindparam("kind"))
)

Report = privacy_pb2.ErasureReport
Take = Callable[[OperationRun], Awaitable[erasure.Counts]]
"""Takes what tells of whom the event asks for, `run.request`; says where and how much. May be done twice.

What it leaves on purpose it says in `remains` of its position: sentences for the report.
"""


class Part:
    """The part of one service. LookupError if its contract declares no answer."""

    def __init__(self, metadata: MetaData, asked: type[Message], take: Take) -> None:
        package = metadata.info["package"]
        self._service, self._take = contracts.service_of(package), take
        self._answer = erasure.answer_of(package, "report", Report)
        self._requests: dict[str, type[Message]] = {erasure.CAUSE: asked, CLEAN: Report}
        # A method cannot be marked; a partial can.
        begin = on(asked, durable=f"{self._service}-erasure")
        self.consumers = (begin(functools.partial(self.begin)),)
        self.timers = (timer(_WATCH)(functools.partial(self.watch)),)
        self.operations = (
            operation(erasure.CAUSE)(functools.partial(self.erase)),
            operation(CLEAN)(functools.partial(self.clean)),
        )

    async def begin(self, event: Any, tx: Tx) -> None:
        """It may take a while: an operation does it."""
        await self._work_on(tx, event.erasure_id, erasure.CAUSE, event)

    async def _work_on(self, tx: Tx, erasure_id: str, kind: str, request: Message) -> None:
        """Starts the operation, and the timer that looks after it."""
        started: Any = await tx.start_operation(kind, request)
        payload = _payload(erasure_id, kind, request, started.name.rpartition("/")[2])
        await tx.set_timer(_WATCH, erasure_id, tx.now + _LOOK_AGAIN, payload)

    async def watch(self, payload: dict[str, Any], tx: Tx) -> None:
        """Starts what is due, or what ended without having done it, and looks again until it is done."""
        erasure_id, kind = payload["erasure_id"], payload["kind"]
        if payload["operation_id"]:
            under_way = await tx.runtime.operations.get(tx, payload["operation_id"])
            if not under_way.done:
                return await tx.set_timer(_WATCH, erasure_id, tx.now + _LOOK_AGAIN, payload)
            if under_way.HasField("response"):
                return None
        request = self._requests[kind]()
        json_format.ParseDict(payload["request"], request, ignore_unknown_fields=True)
        return await self._work_on(tx, erasure_id, kind, request)

    # -- carried out -------------------------------------------------------------------------------

    async def erase(self, run: OperationRun) -> None:
        """Takes and sweeps; the database is rewritten by an operation of its own, which serves all that wait for it."""
        event: Any = run.request
        counts = await self._take(run)
        found = erasure.places({place: count for place, count in counts.items() if count})
        report = Report(
            erasure_id=event.erasure_id, service=self._service, places=found,
            remains=run.position.get("remains", []),
        )  # fmt: skip
        if await erasure.clean_at_once(await erasure.runtime_of(run)):
            await run.write(lambda tx: self._work_on(tx, report.erasure_id, CLEAN, report))
        else:
            await run.write(lambda tx: self.tonight(tx, report))

    async def tonight(self, tx: Tx, report: Report) -> None:
        """Rewriting a large database keeps people waiting, whoever signs in among them: it is done when they sleep."""
        payload = _payload(report.erasure_id, CLEAN, report)
        await tx.set_timer(_WATCH, report.erasure_id, erasure.tonight(tx.now), payload)

    async def clean(self, run: OperationRun) -> None:
        """The last step of every erasure of the tenant that waits for it; nothing if another operation has done it meanwhile."""
        asked: Any = run.request
        async with erasure.cleaning_turn(await erasure.runtime_of(run)) as clean:
            reports = await run.write(_waiting)
            if asked.erasure_id in [report.erasure_id for report in reports]:
                cleaned = await clean()
                for report in reports:
                    await run.write(functools.partial(self._confirm, report, cleaned))

    async def _confirm(self, report: Report, cleaned: Cleaned, tx: Tx) -> None:
        tx.cause = Cause(erasure.CAUSE, report.erasure_id)
        done = Report(time=to_timestamp(tx.now), remains=cleaned.remains)
        done.MergeFrom(report)
        tx.emit(self._answer(report=done))
        await tx.cancel_timer(_WATCH, report.erasure_id)


def _payload(
    erasure_id: str, kind: str, request: Message, operation_id: str = ""
) -> dict[str, Any]:
    """What the timer that looks after an erasure knows; without an operation it starts one when it is due."""
    return {
        "erasure_id": erasure_id, "kind": kind, "request": json_format.MessageToDict(request),
        "operation_id": operation_id,
    }  # fmt: skip


async def _waiting(tx: Tx) -> list[Report]:
    """The tenant's erasures of which everything is taken, and the bytes in the database's files are left."""
    rows = await tx.fetch(_WATCHED, kind=_WATCH)
    found = [orjson.loads(row["request"]) for row in rows if row["kind"] == CLEAN]
    return [json_format.ParseDict(each, Report(), ignore_unknown_fields=True) for each in found]
