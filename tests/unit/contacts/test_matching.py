"""Who is found behind a phone and an e-mail."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.contacts.matching import Holder, Match, lock_keys, match

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def holder(contact_id: str, days_ago: int = 0) -> Holder:
    return Holder(contact_id, NOW - timedelta(days=days_ago))


def test_nobody_known() -> None:
    assert match([], []) == Match()


def test_the_phones_only_owner() -> None:
    assert match([holder("a")], []) == Match("a")


def test_the_emails_only_owner_where_the_phone_is_unknown() -> None:
    assert match([], [holder("b")]) == Match("b")


def test_phone_and_email_of_one_person() -> None:
    assert match([holder("a")], [holder("a")]) == Match("a")


def test_phone_of_one_and_email_of_another_goes_to_the_phones_owner_and_suspects() -> None:
    assert match([holder("a", 300)], [holder("b", 1)]) == Match("a", (), "b")


def test_shared_phone_goes_to_the_latest_contact_and_asks_to_choose() -> None:
    assert match([holder("a", 5), holder("b", 1), holder("c", 9)], []) == Match(
        "b", ("b", "a", "c")
    )


def test_shared_phone_and_the_email_of_one_of_them_leaves_no_choice() -> None:
    assert match([holder("a", 5), holder("b", 1)], [holder("a")]) == Match("a")


def test_shared_phone_and_a_strangers_email_asks_and_suspects() -> None:
    assert match([holder("a", 5), holder("b", 1)], [holder("z")]) == Match("b", ("b", "a"), "z")


def test_shared_email_asks_to_choose() -> None:
    assert match([], [holder("a", 5), holder("b", 1)]) == Match("b", ("b", "a"))


def test_phone_and_email_shared_by_the_same_two() -> None:
    both = [holder("a", 5), holder("b", 1)]
    assert match(both, both) == Match("b", ("b", "a"))


_holders = st.lists(st.builds(holder, st.sampled_from("abcd"), st.integers(0, 400)), max_size=5)


@given(_holders, _holders)
def test_whoever_is_found_has_the_phone_or_else_the_email(
    by_phone: list[Holder], by_email: list[Holder]
) -> None:
    found = match(by_phone, by_email)
    phone_ids, email_ids = {h.contact_id for h in by_phone}, {h.contact_id for h in by_email}
    assert (found.contact_id == "") == (not phone_ids and not email_ids)
    if phone_ids:
        assert found.contact_id in phone_ids
    elif email_ids:
        assert found.contact_id in email_ids
    assert found.suspected_id == "" or found.suspected_id in email_ids - phone_ids
    assert found.choose == (len(found.candidate_ids) > 1)


@given(_holders, _holders, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    by_phone: list[Holder], by_email: list[Holder], random: object
) -> None:
    shuffled = by_phone[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match(shuffled, by_email) == match(by_phone, by_email)


def test_locks_are_taken_in_one_order_and_only_for_what_is_known() -> None:
    assert lock_keys("+48601234567", "a@b.pl") == ["email/a@b.pl", "phone/+48601234567"]
    assert lock_keys("", "") == []
