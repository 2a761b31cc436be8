"""What a ladder must be, which one a task gets, and whom a step tells."""

from datetime import timedelta

import pytest

from crm.tasks.v1.ladder_pb2 import Ladder, LadderStep, Told
from services.tasks import errors
from services.tasks.rules import ladders as rules
from services.tasks.rules.ladders import Duty, Matter
from tests.unit.tasks.people import MONDAY, Firm

DAY = timedelta(days=1)
ANNA = Duty("anna", "sales")
Step = tuple[int, "LadderStep.Whom"]


def ladder(*steps: Step, **given: object) -> Ladder:
    made = [LadderStep(after_minutes=minutes, whom=whom) for minutes, whom in steps]
    return Ladder(name="L", steps=made, **given)  # type: ignore[arg-type]


def told(
    firm: Firm, whom: "LadderStep.Whom", duty: Duty = ANNA, **step: str
) -> list[tuple[str, str, str]]:
    """(user, why, in whose place) of everybody who is told on Monday."""
    found = rules.told(firm.view, duty, LadderStep(whom=whom, **step), MONDAY)  # type: ignore[arg-type]
    return [
        (t.user_id, Told.Because.Name(t.because).removeprefix("BECAUSE_"), t.instead_of_id)
        for t in found
    ]


def faults(made: Ladder, users: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(errors.LadderInvalid) as refused:
        rules.check(made, users)
    return [f"{v.field} {v.description}" for v in refused.value.violations]


# -- what a ladder must be -------------------------------------------------------------------------------------------------


def test_the_first_ladder_is_a_good_one() -> None:
    first = rules.first_ladder()

    rules.check(first, ())
    assert [(s.after_minutes, s.whom, s.kind) for s in first.steps] == [
        (10, LadderStep.WHOM_OWNER, LadderStep.KIND_REMINDER),
        (15, LadderStep.WHOM_OWNER, LadderStep.KIND_REMINDER),
        (20, LadderStep.WHOM_HEAD, LadderStep.KIND_ESCALATION),
        (30, LadderStep.WHOM_HEADS_DEPUTY, LadderStep.KIND_ESCALATION),
    ]
    assert {tuple(s.ways) for s in first.steps} == {(LadderStep.WAY_FEED, LadderStep.WAY_PUSH)}


def test_a_step_before_the_one_above_is_refused_with_both_values() -> None:
    made = ladder(
        (20, LadderStep.WHOM_OWNER), (15, LadderStep.WHOM_HEAD), (18, LadderStep.WHOM_HEAD)
    )

    assert faults(made) == [
        "steps[1].after_minutes is 15, and a step above comes after 20; put the steps in order",
        "steps[2].after_minutes is 18, and a step above comes after 20; put the steps in order",
    ]


@pytest.mark.parametrize("count", [0, 21])
def test_a_ladder_has_one_to_twenty_steps(count: int) -> None:
    made = ladder(*[(at, LadderStep.WHOM_OWNER) for at in range(count)])

    assert faults(made) == [f"steps has {count} steps; give 1 to 20"]


def test_twenty_steps_at_one_moment_are_allowed() -> None:
    rules.check(ladder(*[(5, LadderStep.WHOM_OWNER)] * 20), ())


def test_a_step_tells_somebody_by_some_way_and_names_a_user_only_where_it_says_so() -> None:
    made = ladder(
        (0, LadderStep.WHOM_UNSPECIFIED),
        (1, LadderStep.WHOM_USER),
        (2, LadderStep.WHOM_USER),
        (3, LadderStep.WHOM_HEAD),
    )
    made.steps[0].ways.append(LadderStep.WAY_UNSPECIFIED)
    made.steps[2].user_id, made.steps[3].user_id = "stranger", "anna"

    assert faults(made, ("anna",)) == [
        "steps[0].whom is required: say who is told",
        "steps[0].ways names no way; choose WAY_FEED, WAY_PUSH, WAY_MAIL or WAY_SMS",
        "steps[1].user_id is required, because whom is WHOM_USER",
        "steps[2].user_id there is no active user stranger",
        "steps[3].user_id is for whom WHOM_USER only; leave it empty",
    ]


# -- which ladder a task gets ----------------------------------------------------------------------------------------------


def test_the_most_specific_ladder_is_chosen() -> None:
    any_, reaction = Ladder(id="1"), Ladder(id="2", clock=Ladder.CLOCK_REACTION)
    department, type = Ladder(id="3", department_ids=["sales"]), Ladder(id="4", type_ids=["call"])
    source, form = Ladder(id="5", source_ids=["web"]), Ladder(id="6", form_ids=["f"])
    both = Ladder(id="7", form_ids=["f"], source_ids=["web"])
    order = [any_, reaction, department, type, source, form, both]
    matter = Matter(Ladder.CLOCK_REACTION, "call", ("sales", "company"), "f", "web")

    found = [rules.chosen(order[: end + 1], matter) for end in range(len(order))]

    assert found == order


def test_a_ladder_is_chosen_only_if_all_its_conditions_hold() -> None:
    matter = Matter(Ladder.CLOCK_DEADLINE, "call", ("sales", "company"))
    elsewhere = [
        Ladder(id="1", clock=Ladder.CLOCK_REACTION),
        Ladder(id="2", type_ids=["call"], department_ids=["workshop"]),
        Ladder(id="3", form_ids=["f"]),
        Ladder(id="4", retired=True),
    ]

    assert rules.chosen(elsewhere, matter) is None
    assert (
        rules.chosen([*elsewhere, above := Ladder(id="5", department_ids=["company"])], matter)
        is above
    )


def test_of_ladders_alike_the_newest_is_chosen() -> None:
    older, newer = Ladder(id="019a", type_ids=["call"]), Ladder(id="019b", type_ids=["call"])

    assert rules.chosen([newer, older], Matter(Ladder.CLOCK_DEADLINE, "call")) is newer


# -- whom a step tells -----------------------------------------------------------------------------------------------------


def test_everybody_is_there() -> None:
    firm = Firm()

    assert told(firm, LadderStep.WHOM_OWNER) == [("anna", "OWNER", "")]
    assert told(firm, LadderStep.WHOM_HEAD) == [("head", "HEAD", "")]
    assert told(firm, LadderStep.WHOM_HEADS_DEPUTY) == [("deputy", "DEPUTY", "")]
    assert told(firm, LadderStep.WHOM_NEXT_HEAD) == [("chief", "NEXT_HEAD", "")]
    assert told(firm, LadderStep.WHOM_ADMINISTRATORS) == [("admin", "ADMINISTRATOR", "")]
    assert told(firm, LadderStep.WHOM_USER, user_id="bob") == [("bob", "NAMED", "")]


def test_the_owner_is_away_and_his_delegate_is_told() -> None:
    firm = Firm()
    firm.away("anna", MONDAY - DAY, MONDAY + DAY, "bob")

    assert told(firm, LadderStep.WHOM_OWNER) == [("bob", "DELEGATE", "anna")]


def test_the_head_is_away_and_who_stands_in_is_told() -> None:
    firm = Firm()
    firm.away("head", MONDAY - DAY, MONDAY + DAY)
    assert told(firm, LadderStep.WHOM_HEAD) == [("deputy", "DEPUTY", "head")]

    firm.away("head", MONDAY - DAY, MONDAY + DAY, "bob")
    assert told(firm, LadderStep.WHOM_HEAD) == [("bob", "DELEGATE", "head")]


def test_the_head_is_away_and_his_delegate_is_the_assignee_himself() -> None:
    firm = Firm()
    firm.away("head", MONDAY - DAY, MONDAY + DAY, "anna")

    assert told(firm, LadderStep.WHOM_HEAD) == [("chief", "NEXT_HEAD", "")]


def test_the_owner_is_the_head_and_the_next_head_is_told() -> None:
    firm = Firm()
    own = Duty("head", "sales")

    assert told(firm, LadderStep.WHOM_HEAD, own) == [("chief", "NEXT_HEAD", "")]
    # Above the next head there is nobody, and he has no deputy.
    assert told(firm, LadderStep.WHOM_NEXT_HEAD, own) == [("admin", "ADMINISTRATOR", "")]
    assert told(firm, LadderStep.WHOM_HEADS_DEPUTY, own) == [("admin", "ADMINISTRATOR", "")]


def test_all_are_away_and_the_administrator_is_told() -> None:
    firm = Firm()
    for id in ("anna", "bob", "head", "deputy", "chief"):
        firm.away(id, MONDAY - DAY, MONDAY + DAY)

    for whom in (LadderStep.WHOM_OWNER, LadderStep.WHOM_HEAD, LadderStep.WHOM_HEADS_DEPUTY):
        assert [(user, why) for user, why, _ in told(firm, whom)] == [("admin", "ADMINISTRATOR")]
    firm.away("admin", MONDAY - DAY, MONDAY + DAY)
    # Somebody must find it when he returns.
    assert told(firm, LadderStep.WHOM_HEAD) == [("admin", "ADMINISTRATOR", "")]


def test_a_queue_is_told_to_those_who_are_there_and_an_offer_to_the_candidates() -> None:
    firm = Firm()
    firm.away("bob", MONDAY - DAY, MONDAY + DAY)

    queue = told(firm, LadderStep.WHOM_OWNER, Duty("", "sales"))
    offer = told(firm, LadderStep.WHOM_OWNER, Duty("", "", ("chief", "anna", "bob")))

    assert [user for user, _, _ in queue] == ["anna", "deputy", "head"]
    assert offer == [("chief", "QUEUE", ""), ("anna", "QUEUE", "")]
    assert told(firm, LadderStep.WHOM_HEAD, Duty("", "sales")) == [("head", "HEAD", "")]


def test_who_has_left_is_stood_in_for() -> None:
    firm = Firm()
    firm.change("anna", state="deactivated")

    assert told(firm, LadderStep.WHOM_OWNER) == [("deputy", "DEPUTY", "anna")]


def test_a_company_without_departments_tells_its_administrators() -> None:
    firm = Firm()

    assert told(firm, LadderStep.WHOM_OWNER, Duty()) == [("admin", "ADMINISTRATOR", "")]
    assert told(firm, LadderStep.WHOM_HEAD, Duty("admin")) == [("admin", "ADMINISTRATOR", "")]
