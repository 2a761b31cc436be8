"""When the steps of a ladder are due, and that each is told once and in its order, whatever changes meanwhile."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1.ladder_pb2 import Ladder, LadderRun, LadderStep
from crm.tasks.v1.task_pb2 import Reminder, Task
from services.tasks.rules import deadlines as rules
from services.tasks.rules import ladders
from tests.unit.tasks.people import MONDAY, OFFICE, Firm

MINUTE = timedelta(minutes=1)
WARSAW = ZoneInfo("Europe/Warsaw")
USUAL = (
    (15, LadderStep.WHOM_OWNER),
    (20, LadderStep.WHOM_HEAD),
    (30, LadderStep.WHOM_HEADS_DEPUTY),
)
TASK = Task(id="t", owner_id="anna", department_id="sales", state=Task.STATE_OPEN)


def begun(firm: Firm, start: datetime, task: Task = TASK) -> LadderRun:
    steps = [LadderStep(after_minutes=minutes, whom=whom) for minutes, whom in USUAL]
    ladder = Ladder(id="l", etag="1", name="L", steps=steps)
    ladders.normalise(ladder)
    return rules.begin(ladder, task, firm.view, clock=Ladder.CLOCK_REACTION, start=start)


def plans(run: LadderRun, zone: ZoneInfo = WARSAW) -> list[str]:
    return [to_datetime(s.plan_time).astimezone(zone).strftime("%a %d %H:%M") for s in run.steps]


def warsaw(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW).astimezone(UTC)


def test_a_request_of_monday_morning() -> None:
    run = begun(Firm(zone="Europe/Warsaw", hours=OFFICE), warsaw("2026-11-30T09:00"))

    assert plans(run) == ["Mon 30 09:15", "Mon 30 09:20", "Mon 30 09:30"]


def test_a_request_of_friday_evening_before_a_holiday_waits_until_tuesday() -> None:
    firm = Firm(zone="Europe/Warsaw", hours=OFFICE)
    # Easter Monday 2026 is 6 April.
    run = begun(firm, warsaw("2026-04-03T17:55"))

    assert plans(run) == ["Tue 07 09:10", "Tue 07 09:15", "Tue 07 09:25"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # On 25 October 2026 the hour from two to three comes twice, on 29 March it is missing.
        ("2026-10-25T01:50", ["Sun 25 02:05", "Sun 25 02:10", "Sun 25 02:20"]),
        ("2026-03-29T01:50", ["Sun 29 03:05", "Sun 29 03:10", "Sun 29 03:20"]),
    ],
)
def test_sundays_on_which_the_clocks_change(start: str, expected: list[str]) -> None:
    nights = [{"weekday": 7, "start": "00:00", "end": "06:00"}]

    assert plans(begun(Firm(zone="Europe/Warsaw", hours=nights), warsaw(start))) == expected


def test_each_step_counts_the_hours_of_whoever_must_act_and_none_comes_before_the_one_above() -> (
    None
):
    firm = Firm(hours=OFFICE)
    firm.change("head", working_hours=[{"weekday": 5, "start": "09:00", "end": "20:00"}])
    friday = datetime(2026, 12, 4, 17, 55, tzinfo=UTC)

    run = begun(firm, friday)

    # The head works until eight on Fridays, but anna is told first.
    assert plans(run, ZoneInfo("UTC")) == ["Mon 07 09:10", "Mon 07 09:10", "Mon 07 09:25"]


def test_who_returns_before_a_step_is_due_acts_himself_in_his_hours() -> None:
    firm = Firm(hours=OFFICE)
    firm.change("bob", working_hours=[{"weekday": 2, "start": "12:00", "end": "18:00"}])
    firm.away("anna", MONDAY - timedelta(days=7), MONDAY + timedelta(hours=6), "bob")

    run = begun(firm, MONDAY)

    # bob, who stands in, would have until Tuesday noon; anna is back on Monday at three and has had her time then.
    assert plans(run, ZoneInfo("UTC"))[0] == "Mon 30 15:00"
    assert rules.fire(run, TASK, firm.view, now=MONDAY + 15 * MINUTE) is None
    told = rules.fire(run, TASK, firm.view, now=MONDAY + timedelta(hours=6))
    assert told is not None
    assert ([t.user_id for t in told.told], told.late_seconds) == (["anna"], 0)


def test_who_stands_in_from_then_on_counts_his_own_hours() -> None:
    firm = Firm(hours=OFFICE)
    firm.change("bob", working_hours=[{"weekday": 2, "start": "12:00", "end": "18:00"}])
    firm.away("anna", MONDAY + 10 * MINUTE, MONDAY + timedelta(days=9), "bob")

    assert plans(begun(firm, MONDAY), ZoneInfo("UTC"))[0] == "Tue 01 12:15"


def test_a_calendar_that_never_opens_does_not_lose_the_step() -> None:
    firm = Firm()
    for id in ("anna", "head", "deputy"):
        firm.change(id, working_hours=[{"weekday": 1, "start": "09:00", "end": "09:00"}])

    assert plans(begun(firm, MONDAY), ZoneInfo("UTC")) == [
        "Mon 30 09:15",
        "Mon 30 09:20",
        "Mon 30 09:30",
    ]


# -- telling ---------------------------------------------------------------------------------------------------------------


def test_a_step_is_told_at_its_time_and_not_before() -> None:
    firm = Firm()
    run = begun(firm, MONDAY)

    assert rules.fire(run, TASK, firm.view, now=MONDAY + 14 * MINUTE) is None
    told = rules.fire(run, TASK, firm.view, now=MONDAY + 15 * MINUTE)

    assert told is not None
    assert (told.number, told.late_seconds, [t.user_id for t in told.told]) == (1, 0, ["anna"])
    assert told.task_state == Task.STATE_OPEN
    assert list(told.ways) == [LadderStep.WAY_FEED, LadderStep.WAY_PUSH]
    assert rules.fire(run, TASK, firm.view, now=MONDAY + 15 * MINUTE) is None
    assert run.state == LadderRun.STATE_RUNNING


def test_after_an_outage_the_steps_come_late_each_once_and_in_order() -> None:
    firm = Firm()
    run = begun(firm, MONDAY)

    told = [rules.fire(run, TASK, firm.view, now=MONDAY + 40 * MINUTE) for _ in range(4)]

    assert [(s.number, s.late_seconds) for s in told if s] == [(1, 1500), (2, 1200), (3, 600)]
    assert told[3] is None
    assert run.state == LadderRun.STATE_ENDED


def test_given_to_a_colleague_the_clock_goes_on_and_what_is_due_by_his_hours_is_due_now() -> None:
    firm = Firm(hours=OFFICE)
    firm.change(
        "bob", working_hours=[{"weekday": d, "start": "00:00", "end": "23:59"} for d in range(1, 8)]
    )
    saturday = datetime(2026, 12, 5, 12, 0, tzinfo=UTC)
    run = begun(firm, saturday)
    assert plans(run, ZoneInfo("UTC"))[0] == "Mon 07 09:15"

    changed = rules.plan(run, ladders.Duty("bob", "sales"), firm.view, now=saturday + 60 * MINUTE)

    assert changed
    assert plans(run, ZoneInfo("UTC"))[0] == "Sat 05 13:00"
    told = rules.fire(
        run, Task(owner_id="bob", state=Task.STATE_OPEN), firm.view, now=saturday + 60 * MINUTE
    )
    assert told is not None
    assert told.late_seconds == 0  # nothing stood still: it is due only since bob has it


def test_a_run_says_whether_it_reminds_the_assignee_at_a_moment_and_whether_it_tells_others() -> (
    None
):
    run = begun(Firm(), MONDAY)
    only_reminds = LadderRun(steps=run.steps[:1])

    moments = [rules.reminds_owner(run, MONDAY + minutes * MINUTE) for minutes in (14, 15, 20)]

    assert moments == [False, True, False]
    assert (rules.escalates(run), rules.escalates(only_reminds)) == (True, False)


def test_what_is_stopped_keeps_what_was_told_and_tells_nothing_more() -> None:
    firm = Firm()
    run = begun(firm, MONDAY)
    rules.fire(run, TASK, firm.view, now=MONDAY + 15 * MINUTE)

    rules.stop(run)

    assert (run.state, [s.number for s in run.steps]) == (LadderRun.STATE_STOPPED, [1])
    assert rules.fire(run, TASK, firm.view, now=MONDAY + 60 * MINUTE) is None


@pytest.mark.large
@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_every_step_is_told_once_and_in_order_whatever_happens(data: st.DataObject) -> None:
    """Wake-ups early, late and twice; the task given on; people who leave and come back between any two of them."""
    firm = Firm(hours=data.draw(st.sampled_from([OFFICE, []])))
    count = data.draw(st.integers(1, 6))
    minutes = sorted(data.draw(st.lists(st.integers(0, 3000), min_size=count, max_size=count)))
    whom = st.sampled_from(
        [LadderStep.WHOM_OWNER, LadderStep.WHOM_HEAD, LadderStep.WHOM_HEADS_DEPUTY]
    )
    steps = [LadderStep(after_minutes=m, whom=data.draw(whom)) for m in minutes]
    task = Task()
    task.CopyFrom(TASK)
    start = MONDAY + data.draw(st.integers(0, 7 * 1440)) * MINUTE
    ladder = Ladder(id="l", etag="1", steps=steps)
    run = rules.begin(ladder, task, firm.view, clock=Ladder.CLOCK_REACTION, start=start)
    now, told = start, []
    for _ in range(data.draw(st.integers(1, 25))):
        now += data.draw(st.integers(0, 600)) * MINUTE
        happens = data.draw(st.integers(0, 3))
        if happens == 0:
            firm.away(
                data.draw(st.sampled_from(["anna", "bob", "head", "deputy"])),
                now,
                now + 900 * MINUTE,
                "bob",
            )
        elif happens == 1:
            task.owner_id = data.draw(st.sampled_from(["anna", "bob", "head"]))
            rules.plan(run, ladders.duty_of(task), firm.view, now=now)
        else:
            told += [s.number for s in [rules.fire(run, task, firm.view, now=now)] if s]
        planned = [to_datetime(s.plan_time) for s in run.steps]
        assert planned == sorted(planned)
    far = now + timedelta(days=400)
    for _ in steps:
        told += [s.number for s in [rules.fire(run, task, firm.view, now=far)] if s]

    assert told == list(range(1, count + 1))
    assert run.state == LadderRun.STATE_ENDED
    assert all(s.told and to_datetime(s.fire_time) >= to_datetime(s.plan_time) for s in run.steps)


# -- reminders -------------------------------------------------------------------------------------------------------------


def due(**given: object) -> Task:
    return Task(due_time=to_timestamp(MONDAY), state=Task.STATE_OPEN, **given)  # type: ignore[arg-type]


def test_reminders_come_before_the_deadline_and_that_comes_last() -> None:
    task = due(reminders=[Reminder(minutes_before=m) for m in (60, 0, 10)])

    found = [((alarm.at - MONDAY) / MINUTE, alarm.minutes_before) for alarm in rules.alarms(task)]

    assert found == [(-60, 60), (-10, 10), (0, 0), (0, None)]


def test_before_a_visit_one_is_reminded_of_the_departure() -> None:
    task = due(reminders=[Reminder(minutes_before=10)])
    task.visit.departure_time.CopyFrom(to_timestamp(MONDAY - 45 * MINUTE))

    reminder, deadline = rules.alarms(task)

    assert (reminder.at, reminder.near) == (MONDAY - 55 * MINUTE, MONDAY - 45 * MINUTE)
    assert deadline.at == MONDAY


def test_a_deadline_that_was_missed_is_not_missed_again() -> None:
    assert rules.alarms(due(miss_time=to_timestamp(MONDAY))) == []
    assert rules.alarms(Task(state=Task.STATE_OPEN, reminders=[Reminder(minutes_before=5)])) == []


def test_half_a_minute_is_not_late() -> None:
    assert rules.late_seconds(MONDAY, MONDAY + timedelta(seconds=30)) == 0
    assert rules.late_seconds(MONDAY, MONDAY + timedelta(seconds=31)) == 31
