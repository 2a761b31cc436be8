"""Whom a rule means, how each wants to be told, and when: pure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import codec, contracts
from chassis.rights import Rights
from chassis.tenant_view import TenantView
from crm.notifications.v1 import notice_events_pb2, notice_rule_pb2
from crm.notifications.v1.notice_preferences_pb2 import NoticePreference, NoticePreferences
from crm.tasks.v1 import events_pb2, task_pb2
from gateway.live.event import LiveEvent, plan_of
from services.notifications.rules import (
    happenings,
    notice_rules,
    preferences,
    recipients,
    shipped_rules,
)
from services.notifications.rules import visits as visit_rules

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
WARSAW = ZoneInfo("Europe/Warsaw")
FEED, PUSH = notice_rule_pb2.WAY_FEED, notice_rule_pb2.WAY_PUSH
DAILY, HOURLY = notice_rule_pb2.DIGEST_DAILY, notice_rule_pb2.DIGEST_HOURLY
ID = "01900000-0000-7000-8000-00000000000"
OLA, JAN, EVA = (f"{ID}{n}" for n in (1, 2, 3))


def people(**entries: dict[str, Any]) -> TenantView:
    view = TenantView("t")
    for id in (OLA, JAN, EVA):
        view.put("user", id, {"state": "active", "role_ids": [], **entries.get(f"u{id[-1]}", {})})
    return view


def happening(actor_id: str = "", **values: Any) -> happenings.Happening:
    task = task_pb2.Task(id=f"{ID}9", subject="Call", **values)
    event = events_pb2.TaskUpdated(task=task)
    event.change.actor.kind, event.change.actor.id = (
        ("user", actor_id) if actor_id else ("system", "")
    )
    event.change.changed_fields.extend(["visit.place", "custom.size"])
    return happenings.of_event(event, id=f"{ID}8", time=NOW)


def rule(*recipients: "notice_rule_pb2.Recipient", **values: Any) -> notice_rule_pb2.NoticeRule:
    return notice_rule_pb2.NoticeRule(id=f"{ID}7", key="k", recipients=recipients, **values)


def ids(
    view: TenantView, rule: notice_rule_pb2.NoticeRule, what: happenings.Happening
) -> list[str]:
    return [told.user_id for told in recipients.recipients(rule, what, view, NOW)]


def test_each_is_told_once_for_the_first_reason() -> None:
    wanted = rule(
        notice_rule_pb2.RECIPIENT_OWNER,
        notice_rule_pb2.RECIPIENT_FOLLOWERS,
        notice_rule_pb2.RECIPIENT_CREATOR,
    )
    what = happening(owner_id=OLA, follower_ids=[OLA, JAN], creator_id=JAN)

    found = recipients.recipients(wanted, what, people(), NOW)

    assert [(t.user_id, t.because) for t in found] == [
        (OLA, notice_rule_pb2.RECIPIENT_OWNER), (JAN, notice_rule_pb2.RECIPIENT_FOLLOWERS),
    ]  # fmt: skip


def test_who_did_it_is_not_told_not_even_as_a_stand_in() -> None:
    away = {
        "away_from": NOW.timestamp() - 60,
        "away_until": NOW.timestamp() + 60,
        "delegate_id": JAN,
    }

    wanted = rule(notice_rule_pb2.RECIPIENT_OWNER)
    assert ids(people(), wanted, happening(actor_id=OLA, owner_id=OLA)) == []
    assert ids(people(u1=away), wanted, happening(actor_id=JAN, owner_id=OLA)) == [OLA]
    assert ids(people(u1=away), wanted, happening(actor_id=EVA, owner_id=OLA)) == [OLA, JAN]


def test_named_users_and_roles_are_told() -> None:
    view = people(u2={"role_ids": ["r"]})
    wanted = rule(notice_rule_pb2.RECIPIENT_NAMED, user_ids=[OLA], role_ids=["r"])

    assert ids(view, wanted, happening()) == [OLA, JAN]


def test_conditions_look_into_fields() -> None:
    what = happening()
    assert happenings.has_changed(what, [])
    assert happenings.has_changed(what, ["visit"])
    assert not happenings.has_changed(what, ["vis", "due_time", "custom.siz"])


def test_every_shipped_rule_can_be_saved_and_every_argument_leads_somewhere() -> None:
    for shipped in shipped_rules.shipped():
        notice_rules.check(shipped, shipped)
    assert {"escalated", "task_assigned", "day_planned", "mention"} <= {
        r.key for r in shipped_rules.shipped()
    }
    assert [r.key for r in shipped_rules.shipped()] == [r.key for r in shipped_rules.shipped()]


# -- how and when ------------------------------------------------------------------------------------------------------


def test_a_wish_goes_before_what_the_event_asks_and_that_before_the_rule() -> None:
    given_rule = rule(ways=[FEED, PUSH], digest=HOURLY)
    mine = NoticePreferences(rules=[NoticePreference(rule_id=given_rule.id, ways=[FEED])])
    both = frozenset((FEED, PUSH))

    assert preferences.wish(mine, given_rule, (PUSH,), both).ways == (FEED,)
    assert preferences.wish(NoticePreferences(), given_rule, (PUSH,), both) == preferences.Wish(
        False, (PUSH,), preferences.AT_ONCE
    )
    assert preferences.wish(NoticePreferences(), given_rule, (), both).digest == HOURLY
    assert preferences.wish(NoticePreferences(), given_rule, (PUSH,), frozenset((FEED,))).ways == (
        FEED,
    )


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-30T21:59+01:00", ""),
        ("2026-11-30T22:00+01:00", "2026-12-01T07:00+01:00"),
        ("2026-12-01T06:59+01:00", "2026-12-01T07:00+01:00"),
        ("2026-12-01T07:00+01:00", ""),
        ("2026-03-28T23:00+01:00", "2026-03-29T07:00+02:00"),  # summer time begins in that night
        ("2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00"),
    ],
)
def test_quiet_hours_over_midnight_end_by_the_persons_clock(now: str, until: str) -> None:
    quiet = NoticePreferences(quiet_from="22:00", quiet_until="07:00")
    moment = datetime.fromisoformat(now).astimezone(UTC)

    found = preferences.push_time(quiet, WARSAW, moment, urgent=False)

    assert found == (datetime.fromisoformat(until) if until else moment)
    assert preferences.push_time(quiet, WARSAW, moment, urgent=True) == found
    quiet.urgent_passes = True
    assert preferences.push_time(quiet, WARSAW, moment, urgent=True) == moment


_TIMES = st.times().map(lambda t: t.strftime("%H:%M"))


@given(_TIMES, _TIMES, st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_a_push_never_goes_back_and_waits_less_than_a_day_and_an_hour(
    begin: str, end: str, at: datetime
) -> None:
    moment = at.replace(tzinfo=UTC)
    quiet = NoticePreferences(quiet_from=begin, quiet_until=end)

    found = preferences.push_time(quiet, WARSAW, moment, urgent=False)

    assert moment <= found <= moment + timedelta(hours=25)
    if begin < end or (begin > end and found != moment):
        assert preferences.push_time(quiet, WARSAW, found, urgent=False) == found


def test_digests_come_with_the_hour_and_at_the_persons_time() -> None:
    at = datetime(2026, 11, 30, 9, 17, 3, tzinfo=UTC)
    eight = NoticePreferences()

    assert preferences.digest_time(eight, WARSAW, at, HOURLY) == at.replace(
        hour=10, minute=0, second=0
    )
    assert preferences.digest_time(eight, WARSAW, at, DAILY) == datetime(
        2026, 12, 1, 7, 0, tzinfo=UTC
    )
    early = datetime(2026, 11, 30, 6, 59, tzinfo=UTC)
    assert preferences.digest_time(eight, WARSAW, early, DAILY) == datetime(
        2026, 11, 30, 7, 0, tzinfo=UTC
    )
    assert preferences.digest_time(eight, WARSAW, early + timedelta(minutes=1), DAILY) == datetime(
        2026, 12, 1, 7, 0, tzinfo=UTC
    )


def test_the_eve_of_a_visit_is_at_five_by_the_clock_of_whoever_goes() -> None:
    visit = datetime(2026, 3, 30, 7, 0, tzinfo=UTC)  # summer time has begun the day before
    assert visit_rules.eve_of(visit, WARSAW) == datetime(2026, 3, 29, 15, 0, tzinfo=UTC)
    assert visit_rules.eve_of(visit, ZoneInfo("America/New_York")) == datetime(
        2026, 3, 29, 21, 0, tzinfo=UTC
    )


# -- live --------------------------------------------------------------------------------------------------------------


def test_a_notice_goes_live_to_its_owner_only() -> None:
    name = "crm.notifications.v1.NoticeCreated"
    event = notice_events_pb2.NoticeCreated(
        notice={"id": f"{ID}6", "owner_id": OLA, "headline": "Call"}
    )
    plan = plan_of(name)
    assert plan is not None
    live = LiveEvent("NOTIFICATIONS", 1, "t", plan, {"ce-id": "x"}, codec.to_json(event))
    own = [{"object": "notice", "action": "read", "scope": "own"}]
    view = people()

    assert live.visible_to(Rights(view, OLA, own))
    assert not live.visible_to(Rights(view, JAN, own))
    assert not live.visible_to(
        Rights(view, JAN, own, covers=[OLA])
    )  # who stands in gets notices of his own
    assert (
        orjson.loads(live.shown_to(Rights(view, OLA, own)))["data"]["notice"]["headline"] == "Call"
    )
    assert "notice" in contracts.personal_objects()
