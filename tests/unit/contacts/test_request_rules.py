"""The life of a request."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.call import Actor
from chassis.times import to_datetime
from crm.contacts.v1.request_pb2 import Request
from services.contacts import errors
from services.contacts.matching import Match
from services.contacts.rules import requests as rules

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
EVA, TOKEN = Actor("user", "eva"), Actor("token", "t", user_id="eva")
NEW, ASSIGNED, IN_WORK = Request.STATE_NEW, Request.STATE_ASSIGNED, Request.STATE_IN_WORK
ANSWERED, LINKED, CLOSED = Request.STATE_ANSWERED, Request.STATE_LINKED, Request.STATE_CLOSED
SPAM, DUPLICATE = Request.CLOSE_REASON_SPAM, Request.CLOSE_REASON_DUPLICATE

VERBS: dict[str, Callable[[Request], object]] = {
    "assign": lambda r: rules.assign(r, owner_id="eva", at=NOW),
    "start": lambda r: rules.start(r, by=EVA, at=NOW),
    "answer": lambda r: rules.answer(r, by=EVA, at=NOW),
    "link": lambda r: rules.link(r, ["deal"]),
    "close": lambda r: rules.close(r, DUPLICATE, at=NOW),
    "reopen": rules.reopen,
    "not_spam": rules.not_spam,
    "choose": lambda r: rules.choose_contact(r, "c", known_name=""),
}


def test_the_usual_life() -> None:
    request = Request(state=NEW)
    states = []
    for verb in ("assign", "start", "answer", "link"):
        VERBS[verb](request)
        states.append(request.state)
    assert states == [ASSIGNED, IN_WORK, ANSWERED, LINKED]
    assert (request.owner_id, request.first_response_by, list(request.deal_ids)) == (
        "eva",
        "eva",
        ["deal"],
    )


@pytest.mark.parametrize(
    ("verb", "refused_in"),
    [
        ("assign", {CLOSED}),
        ("start", {IN_WORK, ANSWERED, LINKED, CLOSED}),
        ("answer", {CLOSED}),
        ("link", {CLOSED}),
        ("close", {CLOSED}),
        ("reopen", {NEW, ASSIGNED, IN_WORK, ANSWERED, LINKED}),
        ("not_spam", {NEW, ASSIGNED, IN_WORK, ANSWERED, LINKED, CLOSED}),
        ("choose", {CLOSED}),
    ],
)
def test_each_verb_is_refused_in_exactly_these_states(verb: str, refused_in: set[int]) -> None:
    refused = set()
    for state in (*rules.OPEN, CLOSED):
        request = Request(state=state)
        before = request.SerializeToString()
        try:
            VERBS[verb](request)
        except (errors.RequestWrongState, errors.RequestNotSpam):
            assert request.SerializeToString() == before
            refused.add(state)
    assert refused == refused_in


def test_the_refusal_names_state_and_way_out() -> None:
    with pytest.raises(
        errors.RequestWrongState,
        match="that is closed cannot be answered; it must be new or assigned",
    ):
        rules.answer(Request(state=CLOSED), by=EVA, at=NOW)


def test_only_the_first_answer_stops_the_clock() -> None:
    request = Request(state=ASSIGNED)
    assert rules.answer(request, by=TOKEN, at=NOW) is True
    rules.assign(request, owner_id="jan", at=NOW)
    request.state = IN_WORK
    assert rules.answer(request, by=Actor("user", "jan"), at=NOW.replace(hour=12)) is False
    assert (to_datetime(request.first_response_time), request.first_response_by) == (NOW, "eva")


def test_an_answered_request_is_not_answered_again() -> None:
    request = Request(state=ASSIGNED)
    rules.answer(request, by=EVA, at=NOW)
    with pytest.raises(errors.RequestWrongState):
        rules.answer(request, by=EVA, at=NOW)


def test_a_request_linked_before_the_answer_still_gets_its_answer() -> None:
    request = Request(state=ASSIGNED)
    rules.link(request, ["deal"])
    assert rules.answer(request, by=EVA, at=NOW) is True
    assert request.state == LINKED


def test_links_add_up_without_repetition() -> None:
    request = Request(state=NEW)
    assert rules.link(request, ["a", "b", "a"]) == ["a", "b"]
    assert rules.link(request, ["b", "c"]) == ["c"]
    assert list(request.deal_ids) == ["a", "b", "c"]


def test_back_to_the_queue_and_again_to_a_colleague() -> None:
    request = Request(state=NEW, follower_ids=["jan"])
    rules.assign(request, owner_id="jan", department_id="d", at=NOW)
    assert (list(request.follower_ids), request.state) == ([], ASSIGNED)
    rules.assign(request, owner_id="", at=NOW)
    assert (request.state, request.owner_id, request.department_id) == (NEW, "", "d")
    assert to_datetime(request.assign_time) == NOW


def test_whoever_starts_without_an_owner_becomes_it() -> None:
    request = Request(state=NEW)
    rules.start(request, by=EVA, at=NOW)
    assert (request.owner_id, request.state) == ("eva", IN_WORK)


def test_spam_can_be_taken_back_and_the_finding_stays_visible() -> None:
    request = Request()
    rules.caught(request, at=NOW)
    assert (request.state, request.close_reason, request.honeypot_filled) == (CLOSED, SPAM, True)
    rules.not_spam(request)
    assert (request.state, request.close_reason, request.honeypot_filled) == (NEW, 0, True)
    assert not request.HasField("close_time")


def test_what_was_found_is_written_down() -> None:
    request = Request(state=NEW, name="Jan Kowalski")
    rules.attach(request, Match("a", ("a", "b"), "z"), known_name="Anna Nowak")
    assert (request.contact_id, request.choose, list(request.candidate_ids)) == (
        "a",
        True,
        ["a", "b"],
    )
    assert (request.suspected_pair.contact_id, request.suspected_pair.other_contact_id) == (
        "a",
        "z",
    )
    assert (request.name, request.name_differs) == ("Jan Kowalski", True)

    rules.choose_contact(request, "b", known_name="Kowalski Jan")
    assert (request.contact_id, request.choose, request.name_differs) == ("b", False, False)
    assert list(request.candidate_ids) == ["a", "b"]


@pytest.mark.parametrize("request_", [Request(), Request(text="  "), Request(company_name="Okna")])
def test_a_request_that_says_nothing_is_refused(request_: Request) -> None:
    with pytest.raises(errors.RequestEmpty):
        rules.check_content(request_)


@given(st.lists(st.sampled_from(sorted(VERBS)), max_size=25))
def test_whatever_happens_the_record_stays_consistent(verbs: list[str]) -> None:
    request = Request(state=NEW)
    for verb in verbs:
        with contextlib.suppress(errors.RequestWrongState, errors.RequestNotSpam):
            VERBS[verb](request)
        assert (
            (request.state == CLOSED)
            == (request.close_reason != 0)
            == request.HasField("close_time")
        )
        assert request.HasField("first_response_time") == bool(request.first_response_by)
        assert request.state != ASSIGNED or request.owner_id
        assert request.state != NEW or not request.owner_id
        assert request.state != LINKED or request.deal_ids
