"""What holds of all that was ever said about consents."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.times import to_timestamp
from crm.contacts.v1 import consent_pb2 as pb
from crm.contacts.v1 import consent_purpose_pb2
from services.contacts.rules import consents as rules

EMAIL, SMS, ANY = pb.CONSENT_CHANNEL_EMAIL, pb.CONSENT_CHANNEL_SMS, pb.CONSENT_CHANNEL_ANY
FORM, LINK, IMPORT = pb.CONSENT_SOURCE_FORM, pb.CONSENT_SOURCE_LINK, pb.CONSENT_SOURCE_IMPORT
HAND, UNSUBSCRIBE = pb.CONSENT_SOURCE_HAND, pb.CONSENT_SOURCE_UNSUBSCRIBE
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def row(
    minute: int,
    source: int = FORM,
    *,
    withdrawn: bool = False,
    channel: int = EMAIL,
    proof: str = "",
) -> pb.Consent:
    return pb.Consent(
        id=f"{minute:03}", purpose="marketing", channel=channel, withdrawn=withdrawn, source=source,  # type: ignore[arg-type]
        proof=proof, time=to_timestamp(NOON + timedelta(minutes=minute)),
    )  # fmt: skip


def holds(*rows: pb.Consent, channel: int = EMAIL) -> bool | None:
    found = {state.channel: state.given for state in rules.effective(rows)}
    return found.get(channel)  # type: ignore[call-overload]


def test_nothing_said_is_nothing_known() -> None:
    assert rules.effective([]) == []
    assert holds(row(1), channel=SMS) is None


def test_form_and_import_never_lift_a_withdrawal() -> None:
    gone = row(2, UNSUBSCRIBE, withdrawn=True)
    for source in (FORM, IMPORT, HAND, UNSUBSCRIBE):
        assert holds(row(1), gone, row(3, source)) is False


def test_a_newer_act_of_the_person_lifts_it_until_the_next_withdrawal() -> None:
    gone = row(2, UNSUBSCRIBE, withdrawn=True)
    assert holds(row(1), gone, row(3, LINK)) is True
    assert holds(row(1), gone, row(3, HAND, proof="paper")) is True
    assert holds(gone, row(3, LINK), row(4, IMPORT)) is True
    assert holds(gone, row(3, LINK), row(4, IMPORT, withdrawn=True), row(5, FORM)) is False


def test_an_older_act_lifts_nothing_whenever_it_was_written_down() -> None:
    assert holds(row(2, UNSUBSCRIBE, withdrawn=True), row(1, LINK)) is False


def test_of_two_things_said_at_once_the_withdrawal_counts() -> None:
    assert holds(row(1, LINK), row(1, FORM, withdrawn=True)) is False


def test_a_withdrawal_of_every_way_ends_each_and_each_is_lifted_alone() -> None:
    rows = [row(1), row(2, withdrawn=True, channel=ANY), row(3, LINK, channel=SMS)]
    assert (holds(*rows), holds(*rows, channel=SMS)) == (False, True)
    assert rules.holds_everywhere(rules.effective(rows), "marketing") is False
    again = [*rows, row(4, LINK, channel=ANY)]
    assert rules.holds_everywhere(rules.effective(again), "marketing") is True


def _numbered(rows: list[pb.Consent]) -> list[pb.Consent]:
    for number, each in enumerate(rows):
        each.id = f"{number:03}"
    return rows


_rows = st.lists(
    st.builds(
        row, st.integers(0, 5), st.sampled_from([FORM, LINK, IMPORT, HAND, UNSUBSCRIBE]),
        withdrawn=st.booleans(), channel=st.sampled_from([EMAIL, SMS, ANY]), proof=st.sampled_from(["", "p"]),
    ),
    max_size=8,
).map(_numbered)  # fmt: skip
_busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are shared


@_busy
@given(_rows)
def test_what_holds_does_not_depend_on_the_order_of_writing(rows: list[pb.Consent]) -> None:
    assert rules.effective(reversed(rows)) == rules.effective(rows)


@pytest.mark.large
@_busy
@given(_rows)
def test_without_an_act_of_the_person_nothing_holds_after_a_withdrawal(
    rows: list[pb.Consent],
) -> None:
    quiet = [each for each in rows if not rules.is_act_of_person(each)]
    ended = {
        channel
        for each in quiet
        if each.withdrawn
        for channel in (rules.CHANNELS if each.channel == ANY else (each.channel,))
    }
    given_ = {s.channel for s in rules.effective(quiet) if s.given}
    assert not given_ & ended


def test_the_text_is_the_one_in_the_persons_language_else_any() -> None:
    purpose = consent_purpose_pb2.ConsentPurpose(
        name="Offers", texts={"pl": "Zgadzam się", "en": "I agree"}
    )
    assert rules.text_for(purpose, ["pl-PL"]) == "Zgadzam się"
    assert rules.text_for(purpose, ["id", "pl"]) == "Zgadzam się"
    assert rules.text_for(purpose, ["ms"]) == "I agree"
    assert rules.text_for(consent_purpose_pb2.ConsentPurpose(name="Offers"), ["en"]) == "Offers"
