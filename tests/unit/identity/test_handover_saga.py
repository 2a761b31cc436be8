"""How far a handover is after each answer: late, stale and repeated answers change nothing they should not."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.times import to_timestamp
from crm.common.v1 import handover_pb2 as common
from crm.identity.v1 import handover_pb2 as pb
from services.identity import errors
from services.identity import handover_rules as rules

Handover = pb.Handover
Part = common.HandoverPart
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def handover(state: int, *parts: int, round: int = 2) -> Handover:
    made = Handover(state=state, round=round)  # type: ignore[arg-type]
    for name, part in zip(("identity", "contacts", "deals"), parts, strict=False):
        made.parts.add(service=name, state=part, round=round)
    return made


def answer(state: int, round: int = 2, **values: object) -> Part:
    return Part(state=state, round=round, **values)  # type: ignore[arg-type]


def test_it_is_previewed_when_the_last_service_has_answered() -> None:
    one = handover(
        Handover.STATE_PROPOSED, Part.STATE_PREVIEWED, Part.STATE_WAITING, Part.STATE_WAITING
    )
    assert rules.hear(one, "deals", answer(Part.STATE_PREVIEWED), at=NOW)
    assert one.state == Handover.STATE_PROPOSED
    assert rules.hear(one, "contacts", answer(Part.STATE_PREVIEWED, left_count=3), at=NOW)
    assert (one.state, one.parts[1].left_count) == (Handover.STATE_PREVIEWED, 3)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("contacts", answer(Part.STATE_PREVIEWED, round=1)),  # of an earlier preview
        ("contacts", answer(Part.STATE_DONE)),  # nobody confirmed
        ("telephony", answer(Part.STATE_PREVIEWED)),  # takes no part
    ],
)
def test_answers_to_something_else_change_nothing(service: str, told: Part) -> None:
    one = handover(Handover.STATE_PROPOSED, Part.STATE_PREVIEWED, Part.STATE_WAITING)
    before = one.SerializeToString()
    assert not rules.hear(one, service, told, at=NOW)
    assert one.SerializeToString() == before


def test_a_preview_that_comes_after_the_confirmation_is_too_late() -> None:
    one = handover(Handover.STATE_MOVING, Part.STATE_DONE, Part.STATE_MOVING)
    assert not rules.hear(one, "contacts", answer(Part.STATE_PREVIEWED), at=NOW)


def test_it_is_done_when_all_are_and_failed_when_one_is_and_none_moves() -> None:
    one = handover(Handover.STATE_MOVING, Part.STATE_DONE, Part.STATE_MOVING, Part.STATE_MOVING)
    one.parts[1].counts.add(object="contact", count=7)
    rules.hear(one, "contacts", answer(Part.STATE_FAILED, error="why"), at=NOW)
    assert one.state == Handover.STATE_MOVING
    rules.hear(one, "deals", answer(Part.STATE_DONE), at=NOW)
    assert (one.state, one.parts[1].error, one.parts[1].counts[0].count) == (
        Handover.STATE_FAILED,
        "why",
        7,
    )
    rules.hear(one, "contacts", answer(Part.STATE_DONE), at=NOW)
    assert (one.state, one.done_time) == (Handover.STATE_DONE, to_timestamp(NOW))


def test_who_does_not_answer_is_marked_once_and_no_longer_when_he_does() -> None:
    one = handover(Handover.STATE_PROPOSED, Part.STATE_PREVIEWED, Part.STATE_WAITING)
    assert (rules.is_late(one), rules.is_late(one)) == (True, False)
    assert [part.missing for part in one.parts] == [False, True]
    rules.hear(one, "contacts", answer(Part.STATE_PREVIEWED), at=NOW)
    assert [part.missing for part in one.parts] == [False, False]


def test_what_was_not_previewed_needs_permission_and_an_old_preview_another() -> None:
    one = handover(Handover.STATE_PROPOSED, Part.STATE_PREVIEWED, Part.STATE_WAITING)
    one.preview_time.CopyFrom(to_timestamp(NOW))
    with pytest.raises(errors.HandoverNotPreviewed, match="contacts"):
        rules.confirmable(one, at=NOW, allow_missing=False)
    rules.confirmable(one, at=NOW, allow_missing=True)
    with pytest.raises(errors.HandoverPreviewOld, match="25 hours"):
        rules.confirmable(one, at=NOW + timedelta(hours=25), allow_missing=True)
    with pytest.raises(errors.HandoverStateWrong, match="is done"):
        rules.confirmable(handover(Handover.STATE_DONE), at=NOW, allow_missing=True)


def test_it_can_be_reverted_until_its_time() -> None:
    one = handover(Handover.STATE_DONE, Part.STATE_DONE)
    one.revert_until_time.CopyFrom(to_timestamp(NOW))
    rules.revertible(one, at=NOW)
    with pytest.raises(errors.HandoverRevertLate, match="2026-03-02 12:00"):
        rules.revertible(one, at=NOW + timedelta(seconds=1))
    with pytest.raises(errors.HandoverStateWrong):
        rules.revertible(handover(Handover.STATE_PREVIEWED), at=NOW)


def test_every_department_needs_a_new_head() -> None:
    one = Handover(
        owner_id="leaver",
        heads=[
            {"department_id": "a", "head_id": "h"},
            {"department_id": "b", "deputy_takes_over": True},
        ],
    )
    assert rules.new_heads(one, [("a", "A", "d"), ("b", "B", "d")]) == {"a": "h", "b": "d"}
    for led in ([("c", "C", "d")], [("b", "B", "")], [("b", "B", "leaver")]):
        with pytest.raises(errors.DepartmentWithoutHead):
            rules.new_heads(one, led)


def test_what_a_leaver_owns_is_told_without_what_he_follows() -> None:
    one = handover(Handover.STATE_PREVIEWED, Part.STATE_PREVIEWED, Part.STATE_PREVIEWED)
    one.parts[1].counts.add(object="contact", field="owner_id", count=3)
    one.parts[1].counts.add(object="contact", field="follower_ids", count=9)
    one.parts[0].counts.add(object="department", field="head_id", count=1)
    assert rules.owned(one) == {"contact": 3}
