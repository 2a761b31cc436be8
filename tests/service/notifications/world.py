"""What the tests of notices share: a tenant with its people, events as other services publish them, and feeds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from google.protobuf.message import Message

from chassis import codec, contracts
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person, Tenant
from chassis.times import to_timestamp
from chassis.waits import first_of
from crm.identity.v1 import events_pb2 as identity
from crm.notifications.v1 import notice_pb2, notice_preferences_pb2, notice_rule_pb2
from crm.notifications.v1.notices_service_pb2_grpc import NoticesServiceStub
from crm.tasks.v1 import events_pb2 as tasks
from crm.tasks.v1 import task_pb2

Notice = notice_pb2.Notice
NoticeRule = notice_rule_pb2.NoticeRule
Preferences = notice_preferences_pb2.NoticePreferences
Task = task_pb2.Task

READER = [
    *({"object": o, "action": a, "scope": "own"} for o in ("notice", "notice_preferences") for a in ("read", "update")),
    {"object": "notice_rule", "action": "read", "scope": "all"},
]  # fmt: skip
"""What everybody may do."""
WORKER = [*READER, *({"object": o, "action": "read", "scope": "own"} for o in ("task", "request"))]
HEAD = [
    *READER,
    *({"object": o, "action": "read", "scope": "subtree"} for o in ("task", "request")),
]


async def eventually(look: Callable[[], Awaitable[Any]], what: str, timeout_s: float = 20.0) -> Any:
    """What `look` gives, once it is something."""
    try:
        async with asyncio.timeout(timeout_s):
            while not (found := await look()):
                await first_of(asyncio.Event(), timeout_s=0.02)
            return found
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None


def _record_of(event: Message) -> str:
    """The record's id, by which events keep their order."""
    option = contracts.event_option(event.DESCRIPTOR)
    id = contracts.at_path(event, option.guard_id) if option and option.guard_id else ""
    return str(id or uuid7())


@dataclass
class World:
    """A tenant of one test."""

    running: Installation
    tenant: Tenant
    published: set[str] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        return self.running.process.clock.now()

    def stub(self, person: Person) -> Any:
        return person.stub(NoticesServiceStub)

    async def worker(self, **user: Any) -> Person:
        return await self.tenant.person(WORKER, **user)

    async def begin(self) -> None:
        """As identity tells of a new tenant: the shipped rules are there afterwards."""
        await self.publish(identity.TenantCreated(tenant={"id": self.tenant.id, "name": "T"}))

        async def seeded() -> bool:
            return await self.count("notice_rules") >= 9

        await eventually(seeded, "the shipped rules")

    async def rule(self, key: str) -> NoticeRule:
        listed = await self.stub(self.tenant.admin).ListNoticeRules(
            notice_rule_pb2.ListNoticeRulesRequest(filter=f"key = {key}")
        )
        return listed.notice_rules[0]

    async def publish(
        self, event: Message, *, actor_id: str = "", cause: str = "rpc", changed: tuple[str, ...] = (),
        version: int = 1, event_id: str = "", time: datetime | None = None,
    ) -> str:  # fmt: skip
        """An event as its service's relay would publish it; returns its id."""
        event_id = event_id or uuid7()
        change = event.change  # type: ignore[attr-defined]
        change.actor.kind, change.actor.id = ("user", actor_id) if actor_id else ("system", "")
        change.cause.kind, change.version = cause, version
        change.changed_fields.extend(changed)
        change.time.CopyFrom(to_timestamp(time or self.now))
        name = event.DESCRIPTOR.full_name
        service = contracts.service_of(name)
        headers = {
            "ce-id": event_id, "ce-type": name, "ce-source": f"/{service}", "ce-specversion": "1.0",
            "ce-time": (time or datetime.now(UTC)).isoformat(), "ce-subject": _record_of(event),
            "content-type": "application/json", "Nats-Msg-Id": uuid7(),
        }  # fmt: skip
        subject = f"crm.{self.tenant.id}.{service}.{event.DESCRIPTOR.name}"
        self.published.add(event_id)
        await self.running.process.nats.js.publish(subject, codec.to_json(event), headers=headers)
        return event_id

    async def assigned(self, owner: Person, **values: Any) -> str:
        """A task given to somebody by the administrator; returns the event's id."""
        task = Task(id=uuid7(), subject="Call back", state=Task.STATE_OPEN, owner_id=owner.id)
        task.MergeFrom(Task(**values))
        return await self.publish(tasks.TaskAssigned(task=task), actor_id=self.tenant.admin.id)

    async def feed(self, person: Person, **given: Any) -> Any:
        return await self.stub(person).ListFeed(notice_pb2.ListFeedRequest(**given))

    async def told(self, person: Person, many: int = 1) -> list[Notice]:
        """His notices, newest first, once there are so many."""

        async def look() -> list[Notice]:
            found = list((await self.feed(person)).notices)
            return found if len(found) >= many else []

        found: list[Notice] = await eventually(look, f"{many} notice(s)")
        assert len(found) == many, [notice.code for notice in found]
        return found

    async def heard(self) -> None:
        """Returns when everything that this test has published was heard."""
        sql = (
            "SELECT count(*) AS n FROM inbox WHERE tenant_id = $1 AND consumer = 'notifications-notices'"
            " AND event_id = ANY($2::text[]::uuid[])"
        )

        async def all_heard() -> bool:
            rows = await self.running.rows(
                "notifications", sql, self.tenant.id, sorted(self.published)
            )
            return bool(rows[0]["n"] == len(self.published))

        await eventually(all_heard, "all events heard")

    async def settled(self) -> None:
        """Returns when nothing waits to be handed to a way: what it answers changes notices."""
        sql = "SELECT count(*) AS n FROM deliveries WHERE tenant_id = $1 AND state = 'waiting'"

        async def nothing_waits() -> bool:
            rows = await self.running.rows("notifications", sql, self.tenant.id)
            return not rows[0]["n"]

        await self.heard()
        await eventually(nothing_waits, "all handed over")

    async def own_event(self, name: str) -> dict[str, Any]:
        """The first event of this name that notifications publishes: other services have some of the same name."""
        subscription = await self.running.process.nats.js.subscribe(
            f"crm.{self.tenant.id}.notifications.{name}",
            stream="NOTIFICATIONS",
            ordered_consumer=True,
        )
        found: dict[str, Any] = orjson.loads((await subscription.next_msg(timeout=20)).data)
        await subscription.unsubscribe()
        return found

    async def count(self, table: str) -> int:
        rows = await self.running.rows(
            "notifications",
            f"SELECT count(*) AS n FROM {table} WHERE tenant_id = $1",
            self.tenant.id,
        )
        return int(rows[0]["n"])

    async def prefer(self, person: Person, **values: Any) -> Preferences:
        sent = Preferences(**values)
        request = notice_preferences_pb2.UpdateNoticePreferencesRequest(notice_preferences=sent)
        request.update_mask.paths.extend(values)
        return await self.stub(person).UpdateNoticePreferences(request)

    async def advance(self, by: timedelta) -> None:
        """Moves the clock of the whole installation."""
        process = self.running.process
        await process.clock.advance(process.nats, by)  # type: ignore[attr-defined]

    async def state(self) -> dict[str, int]:
        """How much there is of everything that a refusal must leave unchanged."""
        tables = (
            "notices_history",
            "notice_rules_history",
            "notice_preferences_history",
            "deliveries",
            "timers",
        )
        return {table: await self.count(table) for table in tables}


def ahead(moment: datetime, **by: int) -> datetime:
    return moment + timedelta(**by)


__all__ = ["HEAD", "READER", "WORKER", "Notice", "NoticeRule", "Preferences", "Task", "World", "ahead", "eventually", "orjson"]  # fmt: skip
