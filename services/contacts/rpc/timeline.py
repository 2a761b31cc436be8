"""The timeline: newest first, by keyset, each entry only for who may read the record behind it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from chassis import contracts
from chassis.errors import NotFound
from chassis.handlers import Servicer, reads
from chassis.kit.resource import SCOPE_COLUMNS, checked_id
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import common_pb2
from crm.contacts.v1 import timeline_pb2 as pb
from services.contacts import store

PAGE = 50
WINDOW = 200  # rows read at once, where the first ones, as many as are shown, were not enough
MOST_WINDOWS = 20
"""How many windows one answer reads at most: a reader who may see little gets short pages, never a slow one."""

_END = datetime(9999, 1, 1, tzinfo=UTC)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

Place = tuple[datetime, str]
Window = Callable[[Place, int], Awaitable[list[Any]]]


class Timeline(Servicer):
    """`/v1/contacts/{id}/timeline`, `/v1/companies/{id}/timeline`, `/v1/timeline`."""

    @reads
    async def ListContactTimeline(
        self, request: pb.ListContactTimelineRequest, tx: Tx
    ) -> pb.ListTimelineResponse:
        return await _of_party(tx, "contact", request)

    @reads
    async def ListCompanyTimeline(
        self, request: pb.ListCompanyTimelineRequest, tx: Tx
    ) -> pb.ListTimelineResponse:
        return await _of_party(tx, "company", request)

    @reads
    async def ListTimeline(
        self, request: pb.ListTimelineRequest, tx: Tx
    ) -> pb.ListTimelineResponse:
        since = to_datetime(getattr(request, "from")) if request.HasField("from") else _BEGINNING
        until = to_datetime(request.to) if request.HasField("to") else _END

        async def window(before: Place, rows: int) -> list[Any]:
            return await store.read_period(tx, request.actor_id, since, request.kinds, before, rows)

        shape = f"{request.actor_id}|{since.isoformat()}|{until.isoformat()}"
        return await _page(
            tx, request, shape, (until, "00000000-0000-0000-0000-000000000000"), window
        )


async def _of_party(
    tx: Tx, object: str, request: pb.ListContactTimelineRequest | pb.ListCompanyTimelineRequest
) -> pb.ListTimelineResponse:
    """Of the survivor where the id was merged, with the entries of everyone who went into it."""
    asked = checked_id(object, request.id)
    id = await store.merges.survivor(tx, object, asked)
    try:
        await store.PARTIES[object].row(tx, id, deleted=True)
    except NotFound:
        raise store.PARTIES[object].not_found(asked) from None
    request.id = id
    return await page_of(tx, request, list(await store.merges.family(tx, object, [id])))


async def page_of(
    tx: Tx, request: pb.ListContactTimelineRequest | pb.ListCompanyTimelineRequest, ids: list[str]
) -> pb.ListTimelineResponse:
    """Of records that are one now, for a caller who may read that one; the request's id is its."""

    async def window(before: Place, rows: int) -> list[Any]:
        return await store.read_parties(tx, ids, request.kinds, before, rows)

    return await _page(tx, request, request.id, (_END, _LAST_ID), window)


async def _page(
    tx: Tx, request: Any, shape: str, before: Place, window: Window
) -> pb.ListTimelineResponse:
    """Reads windows until the page is full; the token is the last row looked at, whether shown or not."""
    size = request.page_size or PAGE
    identity = f"{tx.tenant}|timeline|{shape}|{','.join(request.kinds)}"
    if request.page_token:
        before = _place(tx, request.page_token, identity)
    answer = pb.ListTimelineResponse()
    wanted = min(size + 1, WINDOW)  # most readers may see all of them
    for _ in range(MOST_WINDOWS):
        rows = await window(before, wanted)
        for at, row in enumerate(rows, start=1):
            before = (row["time"], str(row["event_id"]))
            if _may_read(tx, row):
                answer.entries.append(_entry(tx, row))
            if len(answer.entries) == size:
                if at < len(rows) or len(rows) == wanted:
                    answer.next_page_token = _token(tx, before, identity)
                return answer
        if len(rows) < wanted:
            return answer
        wanted = WINDOW
    answer.next_page_token = _token(tx, before, identity)
    return answer


def _token(tx: Tx, place: Place, identity: str) -> str:
    return tx.runtime.page_tokens.make([place[0], place[1]], True, identity)


def _place(tx: Tx, token: str, identity: str) -> Place:
    time, event_id = tx.runtime.page_tokens.read(token, shape=identity).values
    assert isinstance(time, datetime)
    return time, str(event_id)


def _may_read(tx: Tx, row: Any) -> bool:
    """As a Get of the record behind the entry would decide now."""
    object = row["object"]
    resource = contracts.resources().get(object)
    if resource is None or not any(name in resource.fields_by_name for name in SCOPE_COLUMNS):
        return tx.rights.may(object, "read")
    return tx.rights.reaches(
        object, "read", str(row["owner_id"] or ""), str(row["department_id"] or ""),
        [str(id) for id in row["follower_ids"] or ()],
    )  # fmt: skip


def _entry(tx: Tx, row: Any) -> pb.TimelineEntry:
    object = row["object"]
    return pb.TimelineEntry(
        event_id=str(row["event_id"]), type=row["type"], kind=row["kind"], time=to_timestamp(row["time"]),
        actor=common_pb2.ActorRef(**row["actor"]), cause=common_pb2.Cause(**row["cause"]),
        headline=row["headline"] if _is_visible(tx, object, row["headline_field"]) else "",
        changed_fields=[path for path in row["changed"] if _is_visible(tx, object, path)],
        object=object, object_id=str(row["object_id"] or ""),
    )  # fmt: skip


def _is_visible(tx: Tx, object: str, path: str) -> bool:
    """Whether the reader's role and token let him see this field of this object."""
    hidden, readable = tx.rights.hidden(object), tx.rights.readable
    if any(path == h or path.startswith(f"{h}.") for h in hidden):
        return False
    return readable is None or path.partition(".")[0] in {
        p.partition(".")[0] for p in readable.get(object, ())
    }
