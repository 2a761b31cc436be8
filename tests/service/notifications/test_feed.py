"""What somebody does with his feed, how he wants to be told, and what the rules may say."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.notifications.v1 import notice_pb2 as pb
from crm.notifications.v1 import notice_preferences_pb2 as preferences
from crm.notifications.v1 import notice_rule_pb2 as rules
from tests.service.notifications.world import NoticeRule, World, eventually

FEED, PUSH = rules.WAY_FEED, rules.WAY_PUSH


@pytest.fixture(autouse=True)
async def begun(world: World) -> None:
    await world.begin()


async def test_the_feed_comes_in_pages_newest_first(world: World) -> None:
    ola = await world.worker()
    for number in range(5):
        await world.assigned(ola, subject=f"Task {number}")
    told = await world.told(ola, 5)

    first = await world.feed(ola, page_size=3)
    second = await world.feed(ola, page_size=3, page_token=first.next_page_token)

    assert [n.id for n in (*first.notices, *second.notices)] == [n.id for n in told]
    assert (second.next_page_token, first.unread_count) == ("", 5)
    with pytest.raises(errors.InvalidArgument) as refused:
        await world.feed(ola, unread=True, page_token=first.next_page_token)
    assert [v.field for v in refused.value.violations] == ["page_token"]


async def test_notices_are_read_snoozed_and_done(world: World) -> None:
    ola = await world.worker()
    for _ in range(3):
        await world.assigned(ola)
    one, two, three = await world.told(ola, 3)
    stub = world.stub(ola)

    await stub.ReadNotice(pb.ReadNoticeRequest(id=one.id))
    await stub.FinishNotice(pb.FinishNoticeRequest(id=two.id))
    until = world.now + timedelta(hours=1)
    await stub.SnoozeNotice(pb.SnoozeNoticeRequest(id=three.id, until_time=to_timestamp(until)))

    assert [n.id for n in (await world.feed(ola)).notices] == [one.id]
    assert (await world.feed(ola)).unread_count == 0
    assert len((await world.feed(ola, all=True)).notices) == 3
    await world.advance(timedelta(hours=1))

    async def woken() -> bool:
        (told,) = [n for n in (await world.feed(ola, all=True)).notices if n.id == three.id]
        return not told.HasField("snooze_time")

    await eventually(woken, "told live that it is back")
    back = await world.feed(ola, unread=True)
    assert ([n.id for n in back.notices], back.unread_count) == ([three.id], 1)
    await stub.ReadNotice(pb.ReadNoticeRequest(id=one.id, unread=True))
    assert (await world.feed(ola)).unread_count == 2


async def test_all_are_read_up_to_what_was_seen(world: World) -> None:
    ola = await world.worker()
    for number in range(3):
        await world.assigned(ola, subject=str(number))
    newest, seen, _ = await world.told(ola, 3)

    done = await world.stub(ola).ReadAllNotices(
        pb.ReadAllNoticesRequest(until_time=seen.create_time)
    )
    again = await world.stub(ola).ReadAllNotices(
        pb.ReadAllNoticesRequest(until_time=seen.create_time)
    )

    assert (done.read_count, done.more, again.read_count) == (2, False, 0)
    assert [n.id for n in (await world.feed(ola, unread=True)).notices] == [newest.id]


async def test_nobody_reads_anothers_feed_whatever_his_rights(world: World) -> None:
    ola = await world.worker()
    await world.assigned(ola)
    (notice,) = await world.told(ola)
    admin = world.stub(world.tenant.admin)
    await world.settled()
    before = await world.state()

    assert len((await world.feed(world.tenant.admin, all=True)).notices) == 0
    for call in (
        admin.GetNotice(pb.GetNoticeRequest(id=notice.id)),
        admin.ReadNotice(pb.ReadNoticeRequest(id=notice.id)),
        admin.FinishNotice(pb.FinishNoticeRequest(id=notice.id)),
    ):
        with pytest.raises(errors.NotFound):
            await call
    assert await world.state() == before


@pytest.mark.parametrize("by", [timedelta(seconds=-1), timedelta(days=31)])
async def test_a_snooze_lies_ahead_and_within_thirty_days(world: World, by: timedelta) -> None:
    ola = await world.worker()
    await world.assigned(ola)
    (notice,) = await world.told(ola)
    await world.settled()
    before = await world.state()

    with pytest.raises(errors.InvalidArgument) as refused:
        await world.stub(ola).SnoozeNotice(
            pb.SnoozeNoticeRequest(id=notice.id, until_time=to_timestamp(world.now + by))
        )

    assert refused.value.reason == "SNOOZE_INVALID"
    assert [v.field for v in refused.value.violations] == ["until_time"]
    assert await world.state() == before


# -- preferences -------------------------------------------------------------------------------------------------------


async def test_a_muted_rule_tells_nothing(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    rule = await world.rule("task_assigned")
    await world.prefer(ola, rules=[preferences.NoticePreference(rule_id=rule.id, muted=True)])

    await world.assigned(ola)
    await world.assigned(jan)
    await world.told(jan)
    await world.heard()

    assert len((await world.feed(ola)).notices) == 0


async def test_a_digest_gathers_and_is_told_once_at_the_persons_own_time(world: World) -> None:
    ola = await world.worker(time_zone="Europe/Warsaw")
    rule = await world.rule("task_assigned")
    daily = preferences.NoticePreference(rule_id=rule.id, digest=rules.DIGEST_DAILY)
    await world.prefer(ola, rules=[daily], digest_time="07:30")
    first, second = (
        await world.assigned(ola, subject="One"),
        await world.assigned(ola, subject="Two"),
    )

    async def gathered() -> bool:
        return await world.count("gathered_notices") == 2

    await eventually(gathered, "two gathered")
    assert len((await world.feed(ola)).notices) == 0
    due = (await world.running.rows(
        "notifications", "SELECT due_at FROM timers WHERE tenant_id = $1 AND kind = 'digest'", world.tenant.id
    ))[0]["due_at"]  # fmt: skip
    assert due.astimezone(ZoneInfo("Europe/Warsaw")).strftime("%H:%M") == "07:30"
    await world.advance(due - world.now)

    (notice,) = await world.told(ola)
    assert (notice.code, notice.count) == ("digest", 2)
    assert [(i.event_id, i.code) for i in notice.items] == [
        (first, "task_assigned"),
        (second, "task_assigned"),
    ]
    assert [i.headline for i in notice.items] == ["One", "Two"]
    assert await world.count("gathered_notices") == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_until": "07:00"}, "quiet_from"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({"rules": [{"ways": [rules.WAY_SMS]}]}, "rules[0].ways"),
    ],
)
async def test_preferences_that_cannot_be_are_refused(
    world: World, values: dict[str, Any], field: str
) -> None:
    ola = await world.worker()
    rule = await world.rule("task_assigned")
    for each in values.get("rules", ()):
        each["rule_id"] = rule.id
    before = await world.state()

    with pytest.raises(errors.InvalidArgument) as refused:
        await world.prefer(ola, **values)

    assert refused.value.reason == "PREFERENCES_INVALID"
    assert [v.field for v in refused.value.violations] == [field]
    assert await world.state() == before


async def test_preferences_of_a_rule_that_is_not_there_are_refused(world: World) -> None:
    ola = await world.worker()
    before = await world.state()

    with pytest.raises(errors.InvalidArgument) as refused:
        await world.prefer(ola, rules=[preferences.NoticePreference(rule_id=uuid7(), muted=True)])

    assert (refused.value.reason, [v.field for v in refused.value.violations]) == (
        "REFERENCE_UNKNOWN",
        ["rules"],
    )
    assert await world.state() == before


async def test_preferences_are_ones_own(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    mine = await world.prefer(ola, quiet_from="22:00", quiet_until="07:00", zone="Europe/Warsaw")
    his = await world.stub(jan).GetNoticePreferences(preferences.GetNoticePreferencesRequest())

    assert (mine.owner_id, mine.etag, mine.quiet_from) == (ola.id, "1", "22:00")
    assert (his.owner_id, his.etag, his.quiet_from) == (jan.id, "", "")


# -- rules -------------------------------------------------------------------------------------------------------------


async def make(world: World, **values: Any) -> NoticeRule:
    sent = {
        "key": "own", "name": "Own", "event_types": ["crm.tasks.v1.TaskDone"],
        "recipients": [rules.RECIPIENT_FOLLOWERS], **values,
    }  # fmt: skip
    request = rules.CreateNoticeRuleRequest(notice_rule=NoticeRule(**sent))
    return await world.stub(world.tenant.admin).CreateNoticeRule(request)


@pytest.mark.parametrize(
    ("values", "reason", "field"),
    [
        ({"event_types": ["crm.tasks.v1.TaskFlown"]}, "NOTICE_RULE_INVALID", "event_types"),
        ({"event_types": ["crm.notifications.v1.NoticeCreated"]}, "NOTICE_RULE_INVALID", "event_types"),
        ({"done_event_types": ["crm.tasks.v1.TaskFlown"]}, "NOTICE_RULE_INVALID", "done_event_types"),
        ({"ways": [rules.WAY_MAIL]}, "NOTICE_RULE_INVALID", "ways"),
        ({"arguments": ["task.nothing"]}, "NOTICE_RULE_INVALID", "arguments"),
        ({"unless": "task.nothing"}, "NOTICE_RULE_INVALID", "unless"),
        ({"user_ids": [uuid7()]}, "NOTICE_RULE_INVALID", "recipients"),
        ({"recipients": [rules.RECIPIENT_NAMED], "user_ids": [uuid7()]}, "REFERENCE_UNKNOWN", "user_ids"),
        ({"name": "  "}, "NOTICE_RULE_INVALID", "name"),
        ({"key": "mention"}, "KEY_TAKEN", "key"),
    ],
)  # fmt: skip
async def test_a_rule_of_which_nothing_could_come_is_refused(
    world: World, values: dict[str, Any], reason: str, field: str
) -> None:
    before = await world.state()

    with pytest.raises(errors.CrmError) as refused:
        await make(world, **values)

    assert (refused.value.reason, [v.field for v in refused.value.violations]) == (reason, [field])
    assert await world.state() == before


async def test_the_key_of_a_rule_stays(world: World) -> None:
    rule = await make(world)
    before = await world.state()
    request = rules.UpdateNoticeRuleRequest(notice_rule=NoticeRule(id=rule.id, key="other"))
    request.update_mask.paths.append("key")

    with pytest.raises(errors.InvalidArgument) as refused:
        await world.stub(world.tenant.admin).UpdateNoticeRule(request)

    assert refused.value.reason == "KEY_FIXED"
    assert await world.state() == before


async def test_a_shipped_rule_that_somebody_deleted_does_not_come_back(world: World) -> None:
    rule = await world.rule("task_assigned")
    assert rule.built_in
    await world.stub(world.tenant.admin).DeleteNoticeRule(rules.DeleteNoticeRuleRequest(id=rule.id))
    many = await world.count("notice_rules")
    ola = await world.worker()

    await world.begin()  # told again
    await world.assigned(ola)
    await world.heard()

    assert await world.count("notice_rules") == many
    assert len((await world.feed(ola)).notices) == 0


async def test_rules_may_name_what_is_offered(world: World) -> None:
    offered = await world.stub(world.tenant.admin).GetNoticeOptions(rules.GetNoticeOptionsRequest())

    assert FEED in offered.ways
    assert rules.WAY_SMS not in offered.ways
    assert "crm.tasks.v1.TaskDone" in offered.event_types
    assert "crm.notifications.v1.NoticeCreated" not in offered.event_types
