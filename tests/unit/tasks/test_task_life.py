"""Whose a task is, and how it ends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.keys import uuid7
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1.task_pb2 import Task
from services.tasks import errors
from services.tasks.rules import assigning, ending
from tests.service.tasks.world import values

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
PEOPLE = ["anna", "jan", "eva"]


def task(**given: object) -> Task:
    return Task(**{"id": uuid7(NOW.timestamp()), "state": Task.STATE_OPEN, "create_time": to_timestamp(NOW), **given})  # type: ignore[arg-type]  # fmt: skip


def test_who_gives_a_task_follows_it_and_who_has_it_does_not() -> None:
    one = task(creator_id="eva", owner_id="eva")
    assigning.give(one, "jan", home="sales", by="eva", at=NOW)
    assert (one.owner_id, one.department_id, one.assigner_id) == ("jan", "sales", "eva")
    assert list(one.follower_ids) == ["eva"]
    assigning.give(one, "eva", home="hq", by="jan", at=NOW)
    assert list(one.follower_ids) == ["jan"]


def test_whom_it_was_offered_to_sees_it_no_more_once_it_is_taken() -> None:
    one = task(creator_id="eva", owner_id="eva", follower_ids=["zoe"])
    assigning.offer(one, ["anna", "jan", "eva"], by="eva")
    assert (one.owner_id, one.department_id) == ("", "")
    assert sorted(one.follower_ids) == ["anna", "eva", "jan", "zoe"]
    assigning.take(one, "jan", home="sales", at=NOW)
    assert (one.owner_id, one.assigner_id, list(one.candidate_ids)) == ("jan", "eva", [])
    assert sorted(one.follower_ids) == ["eva", "zoe"]


def test_out_of_a_queue_it_returns_to_the_queue() -> None:
    one = task(creator_id="eva")
    assigning.queue(one, "sales", by="eva")
    assigning.take(one, "jan", home="elsewhere", at=NOW)
    assert (one.department_id, one.assigner_id) == ("sales", "")
    assert assigning.who_gets_it_back(one, "jan") == ["", "eva"]


def test_a_task_of_ones_own_returns_nowhere() -> None:
    one = task(creator_id="eva")
    assigning.give(one, "eva", home="sales", by="eva", at=NOW)
    with pytest.raises(errors.NobodyToReturnTo):
        assigning.who_gets_it_back(one, "eva")


def test_a_declined_offer_stays_with_the_others_and_the_last_returns_it() -> None:
    one = task(creator_id="eva")
    assigning.offer(one, ["anna", "jan"], by="eva")
    assigning.decline(one, "anna", "no car", returns_to="", home="", at=NOW)
    assert (list(one.candidate_ids), sorted(one.follower_ids)) == (["jan"], ["eva", "jan"])
    assert assigning.who_gets_it_back(one, "jan") == ["eva", "eva"]
    assigning.decline(one, "jan", "ill", returns_to="eva", home="hq", at=NOW)
    assert (one.owner_id, list(one.candidate_ids), one.last_decline.reason) == ("eva", [], "ill")


def test_an_offer_is_for_those_who_were_named_and_a_queue_for_who_may_take() -> None:
    queued, offered, owned = (
        task(department_id="sales"), task(candidate_ids=["jan"]), task(owner_id="jan"),
    )  # fmt: skip
    assert [assigning.is_offered(t, "jan", may_take=False) for t in (queued, offered, owned)] == [False, True, False]  # fmt: skip
    assert [assigning.is_offered(t, "eva", may_take=True) for t in (queued, offered, owned)] == [True, False, False]  # fmt: skip


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(st.sampled_from(["give", "queue", "take", "decline"]), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=12))  # fmt: skip
def test_somebody_always_has_it_and_nobody_follows_his_own(
    steps: list[tuple[str, str, str]],
) -> None:
    one = task(creator_id="boss")
    assigning.queue(one, "sales", by="boss")
    for verb, who, by in steps:
        if verb == "give":
            assigning.give(one, who, home="home", by=by, at=NOW)
        elif verb == "queue":
            assigning.queue(one, "sales", by=by)
        elif verb == "take" and not one.owner_id:
            assigning.take(one, who, home="home", at=NOW)
        elif verb == "decline" and one.owner_id and one.assigner_id != one.owner_id:
            first = assigning.who_gets_it_back(one, one.owner_id)[0]
            assigning.decline(one, one.owner_id, "no", returns_to=first, home="", at=NOW)
        assert one.owner_id or one.department_id or one.candidate_ids
        assert one.owner_id not in one.follower_ids
        assert len(set(one.follower_ids)) == len(one.follower_ids)


def done(one: Task, **said: object) -> Task:
    arguments = {
        "outcome": "",
        "result": {},
        "files": [],
        "note": "",
        "by": "jan",
        "at": NOW,
        **said,
    }
    ending.complete(one, **arguments)  # type: ignore[arg-type]
    return one


def test_a_done_task_says_how_and_who_and_shows_the_results_files() -> None:
    one = done(
        task(file_ids=["f"]),
        outcome="measured",
        result=values(a=5, b=""),
        files=["f", "g"],
        note=" ok ",
    )
    assert (one.state, one.outcome, one.end_note, one.ended_by_id) == (
        Task.STATE_DONE,
        "measured",
        "ok",
        "jan",
    )
    assert (list(one.result), list(one.file_ids), to_datetime(one.end_time)) == (["a"], ["f", "g"], NOW)  # fmt: skip


VERBS: dict[str, Callable[[Task], object]] = {
    "done": done,
    "cancelled": lambda t: ending.cancel(t, note="", by="jan", at=NOW),
    "attempted": lambda t: ending.attempt(t, at=NOW),
    "assigned": lambda t: assigning.give(t, "eva", home="", by="jan", at=NOW),
    "put into a queue": lambda t: assigning.queue(t, "sales", by="jan"),
    "declined": lambda t: assigning.decline(t, "jan", "no", returns_to="eva", home="", at=NOW),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", [Task.STATE_DONE, Task.STATE_CANCELLED])
def test_what_is_over_stays_as_it_is(verb: str, state: "Task.State") -> None:
    one = task(state=state, owner_id="jan", end_time=to_timestamp(NOW))
    before = one.SerializeToString(deterministic=True)
    with pytest.raises(errors.TaskWrongState, match=f"cannot be {verb}"):
        VERBS[verb](one)
    assert one.SerializeToString(deterministic=True) == before


def test_an_open_task_cannot_be_reopened() -> None:
    with pytest.raises(errors.TaskWrongState, match="open cannot be reopened"):
        ending.reopen(task())


def test_done_stops_the_customers_clock_and_reopening_lets_it_run_on() -> None:
    one = task()
    one.reaction.start_time.CopyFrom(to_timestamp(NOW))
    done(one, at=NOW + timedelta(minutes=9))
    assert one.reaction.stopped_by == "done"
    assert to_datetime(one.reaction.stop_time) == NOW + timedelta(minutes=9)
    ending.reopen(one)
    assert ending.runs(one)
    assert (one.outcome, len(one.result), one.HasField("end_time")) == ("", 0, False)


def test_a_call_stopped_the_clock_before_so_done_and_reopening_leave_it() -> None:
    one = task()
    one.reaction.start_time.CopyFrom(to_timestamp(NOW))
    assert ending.stop_clock(one, at=NOW, by="call")
    done(one, at=NOW + timedelta(minutes=9))
    ending.reopen(one)
    assert (one.reaction.stopped_by, to_datetime(one.reaction.stop_time)) == ("call", NOW)
    assert not ending.stop_clock(one, at=NOW, by="by_hand")


def test_attempts_are_counted_and_stop_nothing() -> None:
    one = task()
    one.reaction.start_time.CopyFrom(to_timestamp(NOW))
    ending.attempt(one, at=NOW)
    ending.attempt(one, at=NOW + timedelta(hours=1))
    assert (one.attempt_count, to_datetime(one.last_attempt_time)) == (2, NOW + timedelta(hours=1))
    assert ending.runs(one)


def test_the_end_is_now_or_as_said() -> None:
    one = task()
    later = NOW + timedelta(hours=2)
    assert ending.end_time(one, None, now=later) == later
    assert ending.end_time(one, NOW, now=later) == NOW
    assert (
        ending.end_time(one, later + timedelta(minutes=5), now=later) == later
    )  # his clock is ahead


@pytest.mark.parametrize(
    "offset", [timedelta(seconds=-1), timedelta(hours=2, minutes=5, seconds=1)]
)
def test_an_end_before_the_beginning_or_in_the_future_is_refused(offset: timedelta) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        ending.end_time(task(), NOW + offset, now=NOW + timedelta(hours=2))
    assert [v.field for v in refused.value.violations] == ["done_time"]


def test_a_task_made_without_network_was_made_when_its_id_was() -> None:
    one = task(id=uuid7((NOW - timedelta(hours=3)).timestamp()))
    assert ending.end_time(one, NOW - timedelta(hours=2), now=NOW) == NOW - timedelta(hours=2)


def test_what_is_said_otherwise_is_named_with_both_values() -> None:
    one = done(task(), outcome="measured", result=values(width=5, depth="1"))
    assert (
        ending.differences(one, "measured", values(depth="1", width=5.0, note=""), name="Jan") == []
    )
    found = ending.differences(one, "nobody", values(width=6, depth="1"), name="Jan")
    assert [v.field for v in found] == ["outcome", "result.width"]
    assert found[1].description == "Jan said 5 at 2026-05-04T09:00:00Z, you sent 6"
