"""What goes out of the house: at least once with a receipt, later in quiet hours, dead after enough tries, after a kill too."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import pytest_asyncio

from chassis.keys import uuid7
from chassis.testing.installation import Person, installation
from chassis.times import to_timestamp
from crm.identity.v1 import events_pb2 as identity
from crm.notifications.v1 import notice_pb2 as pb
from crm.notifications.v1 import notice_rule_pb2 as rules
from crm.tasks.v1 import deadline_events_pb2 as deadlines
from crm.tasks.v1 import events_pb2 as tasks
from services.notifications import delivering, ways
from services.notifications.ways import Outcome, Parcel, State
from tests.service.notifications.world import Notice, Task, World, eventually

Receipt = pb.Receipt


@dataclass
class Post:
    """A way of the tests: keeps what it was given and answers what it is told to."""

    given: list[Parcel] = field(default_factory=list)
    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    async def carry(self, runtime: Any, parcel: Parcel) -> Outcome:
        self.given.append(parcel)
        if parcel.notice.owner_id in self.held:
            await asyncio.Event().wait()
        answers = self.answers.get(parcel.notice.owner_id, [])
        return answers.pop(0) if answers else Outcome(State.SENT)

    def of(self, person: Person) -> list[Parcel]:
        return [parcel for parcel in self.given if parcel.notice.owner_id == person.id]


@pytest_asyncio.fixture
async def post(world: World) -> AsyncIterator[Post]:
    real, post = ways.CARRIERS.get(ways.PUSH), Post()
    ways.connect(ways.PUSH, post.carry)
    try:
        await world.begin()
        yield post
    finally:
        ways.CARRIERS.pop(ways.PUSH)
        if real is not None:
            ways.connect(ways.PUSH, real)


async def receipts(world: World, person: Person, many: int = 1) -> list[pb.Receipt]:
    async def look() -> list[pb.Receipt]:
        found = [
            r for notice in (await world.feed(person, all=True)).notices for r in notice.receipts
        ]
        return found if len(found) >= many else []

    found: list[pb.Receipt] = await eventually(look, "a receipt")
    return found


async def waiting(world: World, person: Person) -> list[Any]:
    return list(
        await world.running.rows(
            "notifications", "SELECT * FROM deliveries WHERE tenant_id = $1 AND owner_id = $2", world.tenant.id, person.id
        )
    )  # fmt: skip


async def test_a_notice_is_carried_once_and_has_its_receipt(world: World, post: Post) -> None:
    ola = await world.worker()
    await world.assigned(ola)

    (receipt,) = await receipts(world, ola)
    assert (receipt.way, receipt.state, receipt.attempts) == (ways.PUSH, Receipt.STATE_SENT, 1)
    assert [parcel.attempt for parcel in post.of(ola)] == [1]
    assert [row["state"] for row in await waiting(world, ola)] == ["over"]


async def test_a_way_that_fails_is_tried_again_later(world: World, post: Post) -> None:
    ola = await world.worker()
    post.answers[ola.id] = [
        Outcome(State.LATER, "HTTP_503", timedelta(minutes=3)),
        Outcome(State.SENT),
    ]
    began = world.now
    await world.assigned(ola)

    async def put_off() -> bool:
        return any(row["problem"] == "HTTP_503" for row in await waiting(world, ola))

    await eventually(put_off, "put off")
    assert (await waiting(world, ola))[0]["due_time"] >= began + timedelta(minutes=3)
    await world.advance(timedelta(minutes=4))

    (receipt,) = await receipts(world, ola)
    assert (receipt.state, receipt.attempts, receipt.problem) == (Receipt.STATE_SENT, 2, "")


@pytest.mark.large
async def test_a_way_that_never_takes_it_is_dead_and_says_so(world: World, post: Post) -> None:
    ola, jan = await world.worker(), await world.worker()
    post.answers[ola.id] = [Outcome(State.LATER, "HTTP_503") for _ in range(delivering.MOST_TRIES)]
    post.answers[jan.id] = [Outcome(State.REFUSED, "TOO_LARGE")]
    await world.assigned(ola)
    await world.assigned(jan)
    for tries in range(1, delivering.MOST_TRIES):

        async def tried(tries: int = tries) -> bool:
            rows = await waiting(world, ola)
            return bool(rows) and rows[0]["attempts"] == tries and rows[0]["problem"] == "HTTP_503"

        await eventually(tried, f"try {tries}")
        rows = await waiting(world, ola)
        if rows[0]["due_time"] > world.now:
            await world.advance(rows[0]["due_time"] - world.now)

    (of_ola,), (of_jan,) = await receipts(world, ola), await receipts(world, jan)
    assert (of_ola.state, of_ola.attempts, of_ola.problem) == (
        Receipt.STATE_DEAD,
        delivering.MOST_TRIES,
        "HTTP_503",
    )
    assert (of_jan.state, of_jan.problem) == (Receipt.STATE_DEAD, "TOO_LARGE")
    assert [row["state"] for row in await waiting(world, ola)] == ["dead"]


async def test_in_quiet_hours_a_push_waits_and_the_feed_does_not(world: World, post: Post) -> None:
    midnight = datetime.combine(world.now.date() + timedelta(days=1), time(0), UTC)
    await world.advance(midnight - world.now)
    ola, jan = await world.worker(), await world.worker()
    quiet = {"quiet_from": "23:00", "quiet_until": "06:30", "zone": "UTC"}
    await world.prefer(ola, **quiet)
    await world.prefer(jan, **quiet, urgent_passes=True)
    for person in (ola, jan):
        await world.assigned(person)
        late = Task(id=uuid7(), subject="Late", state=Task.STATE_OPEN, owner_id=person.id)
        await world.publish(deadlines.DeadlineMissed(task=late))

    await world.told(ola, 2)
    (passed,) = await receipts(world, jan)
    assert [parcel.notice.code for parcel in post.of(jan)] == ["deadline_missed"]
    assert passed.state == Receipt.STATE_SENT
    assert post.of(ola) == []
    due = {row["due_time"] for row in await waiting(world, ola)}
    assert due == {midnight + timedelta(hours=6, minutes=30)}
    await world.advance(midnight + timedelta(hours=6, minutes=30) - world.now)

    assert len(await receipts(world, ola, 2)) == 2


async def test_what_was_read_meanwhile_is_not_pushed(world: World, post: Post) -> None:
    ola = await world.worker()
    now = world.now
    quiet = {
        "quiet_from": f"{now - timedelta(minutes=2):%H:%M}",
        "quiet_until": f"{now + timedelta(hours=2):%H:%M}",
    }
    await world.prefer(ola, **quiet, zone="UTC")
    await world.assigned(ola)
    (notice,) = await world.told(ola)
    await world.stub(ola).ReadNotice(pb.ReadNoticeRequest(id=notice.id))
    await world.advance(timedelta(hours=2))
    await world.settled()

    assert [(r["state"], r["problem"]) for r in await waiting(world, ola)] == [
        ("over", "NOBODY_TO_TELL")
    ]
    assert post.of(ola) == []
    assert len((await world.told(ola))[0].receipts) == 0


async def test_who_leaves_is_reached_by_no_way(world: World, post: Post) -> None:
    ola = await world.worker()
    now = world.now
    quiet = {
        "quiet_from": f"{now - timedelta(minutes=2):%H:%M}",
        "quiet_until": f"{now + timedelta(hours=2):%H:%M}",
    }
    await world.prefer(ola, **quiet, zone="UTC")
    await world.assigned(ola)
    await world.told(ola)
    await world.publish(identity.UserDeactivated(user={"id": ola.id, "name": "Ola"}))

    async def over() -> bool:
        return [(r["state"], r["problem"]) for r in await waiting(world, ola)] == [
            ("over", "USER_NOT_ACTIVE")
        ]

    await eventually(over, "taken out of the queue")
    assert post.of(ola) == []


@pytest.mark.large
async def test_a_process_that_dies_while_it_carries_gives_it_back(world: World, post: Post) -> None:
    """Claimed and never settled: it is due again after the claim, and carried by whoever lives."""
    ola = await world.worker()
    post.held.add(ola.id)
    await world.assigned(ola)

    async def carrying() -> bool:
        return len(post.of(ola)) == 1

    await eventually(carrying, "the first try hangs")
    post.held.clear()
    async with installation(["notifications"], test_clock=True) as other:
        await other.process.clock.advance(other.process.nats, delivering.CLAIMED)  # type: ignore[attr-defined]
        found = await receipts(world, ola)

    assert found[0].state == Receipt.STATE_SENT
    assert [parcel.attempt for parcel in post.of(ola)] == [1, 2]
    assert len((await world.feed(ola)).notices) == 1


# -- the evening before a visit ----------------------------------------------------------------------------------------


def visit(owner: Person, at: datetime, **values: Any) -> Task:
    made = Task(
        **{
            "id": uuid7(),
            "subject": "Measure",
            "state": Task.STATE_OPEN,
            "owner_id": owner.id,
            **values,
        }
    )
    made.visit.place = "Długa 5"
    made.visit.appointment_time.CopyFrom(to_timestamp(at))
    made.visit.departure_time.CopyFrom(to_timestamp(at - timedelta(minutes=40)))
    return made


async def test_the_evening_before_a_visit_tells_when_to_leave(world: World, post: Post) -> None:
    ola = await world.worker(time_zone="Europe/Warsaw")
    at = datetime.combine(world.now.date() + timedelta(days=3), time(9), UTC)
    moved = visit(ola, at)
    await world.publish(tasks.TaskCreated(task=moved), actor_id=ola.id)
    gone = visit(ola, at, subject="Gone")
    await world.publish(tasks.TaskCreated(task=gone), actor_id=ola.id)
    gone.state = Task.STATE_CANCELLED
    await world.publish(tasks.TaskCancelled(task=gone), actor_id=ola.id, version=2)
    moved.visit.CopyFrom(visit(ola, at + timedelta(days=1)).visit)
    await world.publish(
        tasks.TaskUpdated(task=moved), actor_id=ola.id, version=2, changed=("visit",)
    )
    await world.heard()

    async def due() -> list[Any]:
        return list(await world.running.rows(
            "notifications", "SELECT * FROM timers WHERE tenant_id = $1 AND kind = 'visit-eve'", world.tenant.id
        ))  # fmt: skip

    (timer,) = await due()
    assert (timer["key"], timer["due_at"].date()) == (moved.id, at.date())
    await world.advance(timer["due_at"] - world.now)

    (notice,) = await world.told(ola)
    assert (notice.code, notice.object, notice.object_id, notice.headline) == (
        "visit_tomorrow", "task", moved.id, "Measure",
    )  # fmt: skip
    assert dict(notice.arguments) == {
        "task.visit.place": "Długa 5",
        "task.visit.appointment_time": moved.visit.appointment_time.ToJsonString(),
        "task.visit.departure_time": moved.visit.departure_time.ToJsonString(),
    }


# -- age ---------------------------------------------------------------------------------------------------------------


@pytest.mark.large
async def test_notices_go_after_ninety_days_with_their_versions(world: World, post: Post) -> None:
    ola = await world.worker()
    await world.assigned(ola)
    await receipts(world, ola)
    await world.advance(timedelta(days=60))
    await world.assigned(ola)
    young: Notice = (await world.told(ola, 2))[0]
    await world.advance(timedelta(days=31))

    async def one() -> bool:
        return await world.count("notices") == 1

    await eventually(one, "the old one gone")
    assert [n.id for n in (await world.feed(ola, all=True)).notices] == [young.id]
    versions = await world.running.rows(
        "notifications",
        "SELECT DISTINCT id FROM notices_history WHERE tenant_id = $1",
        world.tenant.id,
    )
    assert [str(row["id"]) for row in versions] == [young.id]


def test_no_way_is_offered_before_somebody_carries_it() -> None:
    assert rules.WAY_MAIL not in ways.connected()
    (violation,) = ways.not_connected("ways", [rules.WAY_FEED, rules.WAY_MAIL])
    assert violation.description.startswith("WAY_MAIL is not connected; there are WAY_FEED")
