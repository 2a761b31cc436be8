"""What is always true of a deal, and what can be corrected once it has ended."""

from datetime import UTC, date, datetime, timedelta

import pytest

from chassis.times import to_timestamp
from crm.deals.v1.deal_pb2 import Deal, Participant
from crm.deals.v1.deal_reason_pb2 import DealReason
from services.deals import errors
from services.deals.rules import deals as rules
from services.deals.rules import ending

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()


def changed(old: Deal, **given: object) -> Deal:
    new = Deal()
    new.CopyFrom(old)
    new.MergeFrom(Deal(**given))  # type: ignore[arg-type]
    return new


def violations(new: Deal, old: Deal | None = None) -> list[str]:
    try:
        rules.check(new, old, now=NOW, today=TODAY)
    except errors.ValuesInvalid as refusal:
        return [violation.field for violation in refusal.violations]
    return []


def test_everything_that_is_wrong_is_named_at_once() -> None:
    deal = Deal(amount="-0.01", participants=[Participant(role="pays")])
    deal.expected_close_date.year, deal.expected_close_date.month = 2026, 13
    deal.ask_again_date.year, deal.ask_again_date.month, deal.ask_again_date.day = 2026, 11, 22
    deal.promise.time.CopyFrom(to_timestamp(NOW))
    deal.promise.kept_time.CopyFrom(to_timestamp(NOW + timedelta(seconds=1)))

    assert violations(deal) == [
        "amount", "expected_close_date", "ask_again_date", "promise.time", "promise.kept_time", "participants[0]",
    ]  # fmt: skip


def test_dates_that_stood_there_before_never_block() -> None:
    old = Deal(title="Windows")
    old.expected_close_date.year, old.expected_close_date.month, old.expected_close_date.day = 2026, 1, 1  # fmt: skip
    old.promise.time.CopyFrom(to_timestamp(NOW - timedelta(days=1)))

    assert violations(changed(old, title="Doors"), old) == []


def test_today_is_a_day_to_come() -> None:
    deal = Deal()
    deal.expected_close_date.year, deal.expected_close_date.month, deal.expected_close_date.day = 2026, 11, 23  # fmt: skip
    assert violations(deal) == []
    assert rules.day_of(deal.expected_close_date) == date(2026, 11, 23)


def test_an_ended_deal_is_corrected_only_in_what_reports_do_not_count() -> None:
    old = Deal(title="Windows", state=Deal.STATE_WON, amount="10")
    rules.keep_ended(changed(old, title="Doors", label_ids=["l"], owner_id="o"), old, "won")

    with pytest.raises(errors.DealEnded) as caught:
        rules.keep_ended(changed(old, title="D", amount="11", contact_id="c"), old, "won")
    assert [v.field for v in caught.value.violations] == ["contact_id", "amount"]


def test_a_promise_goes_on_after_winning_and_asking_again_after_losing() -> None:
    won, lost = Deal(state=Deal.STATE_WON), Deal(state=Deal.STATE_LOST)
    promise = Deal()
    promise.promise.text = "on Friday"
    asking = Deal()
    asking.ask_again_date.year = 2027

    rules.keep_ended(changed(won, promise=promise.promise), won, "won")
    rules.keep_ended(changed(lost, ask_again_date=asking.ask_again_date), lost, "lost")
    with pytest.raises(errors.DealEnded):
        rules.keep_ended(changed(lost, promise=promise.promise), lost, "lost")
    with pytest.raises(errors.DealEnded):
        rules.keep_ended(changed(won, ask_again_date=asking.ask_again_date), won, "won")


def test_only_the_note_of_an_ending_is_corrected() -> None:
    old = Deal(state=Deal.STATE_LOST)
    old.ending.competitor = "Okna"
    new = changed(old)
    new.ending.note = "too dear"
    rules.keep_ending(new, old)
    new.ending.competitor = "Drzwi"
    with pytest.raises(errors.ValuesInvalid):
        rules.keep_ending(new, old)
    with pytest.raises(errors.ValuesInvalid):
        rules.keep_ending(new, Deal())


@pytest.mark.parametrize(
    "old",
    [Deal(accepted_quote_id="q"), Deal(paid_amount="1"), Deal(lines=[{"quantity": "1"}])],  # type: ignore[list-item]
)
def test_the_currency_is_fixed_once_amounts_are_written_down(old: Deal) -> None:
    rules.keep_currency(changed(Deal(currency="PLN"), currency="EUR"), Deal(currency="PLN"))
    with pytest.raises(errors.CurrencyFixed):
        rules.keep_currency(changed(old, currency="EUR"), old)


def test_an_end_is_credited_to_its_owner_and_names_the_competitor_where_the_reason_wants_it() -> (
    None
):
    deal = Deal(state=Deal.STATE_OPEN, owner_id="o", department_id="d", stage_id="s")
    deal.idle_time.CopyFrom(to_timestamp(NOW))
    reason = DealReason(id="r", name="Lost to a competitor", names_competitor=True)
    end = {"reason": reason, "note": "n", "at": NOW, "by": "u"}

    with pytest.raises(errors.ValuesInvalid) as caught:
        ending.end(deal, Deal.STATE_LOST, competitor=" ", **end)  # type: ignore[arg-type]
    assert [v.field for v in caught.value.violations] == ["competitor"]
    assert deal.state == Deal.STATE_OPEN

    ending.end(deal, Deal.STATE_LOST, competitor="Okna", **end)  # type: ignore[arg-type]
    found = deal.ending
    assert (found.owner_id, found.department_id, found.stage_id, found.reason_id) == ("o", "d", "s", "r")  # fmt: skip
    assert (deal.state, deal.HasField("idle_time")) == (Deal.STATE_LOST, False)


def test_an_end_lies_between_the_stage_and_now() -> None:
    deal = Deal()
    deal.stage_time.CopyFrom(to_timestamp(NOW - timedelta(hours=1)))
    ending.check_time(deal, NOW, NOW)
    ending.check_time(deal, NOW - timedelta(hours=1), NOW)
    for wrong in (NOW - timedelta(hours=2), NOW + timedelta(seconds=1)):
        with pytest.raises(errors.ValuesInvalid) as caught:
            ending.check_time(deal, wrong, NOW)
        assert [v.field for v in caught.value.violations] == ["time"]


def test_a_cycle_begins_with_the_first_request() -> None:
    deal = Deal()
    deal.create_time.CopyFrom(to_timestamp(NOW - timedelta(hours=1)))
    assert ending.cycle_seconds(deal, NOW) == 3_600
    deal.request_time.CopyFrom(to_timestamp(NOW - timedelta(hours=3)))
    assert ending.cycle_seconds(deal, NOW) == 3 * 3_600
