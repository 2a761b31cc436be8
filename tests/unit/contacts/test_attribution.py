"""Where visitors come from."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.times import to_datetime, to_timestamp
from crm.contacts.v1.party_pb2 import Touch
from services.contacts import attribution

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def at(days_ago: int, **values: object) -> Touch:
    return Touch(time=to_timestamp(NOW - timedelta(days=days_ago)), **values)  # type: ignore[arg-type]


def test_utm_and_click_ids_are_read_from_the_landing_page() -> None:
    page = "https://okna.example/?utm_source=google&utm_medium=cpc&utm_term=okna%20pcv&GCLID=Cj0&x=1#top"
    touch = attribution.complete(Touch(landing_page=page))
    assert (touch.utm_source, touch.utm_medium, touch.utm_term) == ("google", "cpc", "okna pcv")
    assert (dict(touch.click_ids), touch.keyword) == ({"GCLID".lower(): "Cj0"}, "okna pcv")


def test_what_the_page_says_itself_is_not_overwritten() -> None:
    touch = attribution.complete(
        Touch(landing_page="https://a.example/?utm_source=b", utm_source="a", keyword="k")
    )
    assert (touch.utm_source, touch.keyword) == ("a", "k")


def test_one_touch_is_first_and_last() -> None:
    first, last = attribution.normalise(Touch(), at(0, utm_source="google"), received=NOW)
    assert first == last == at(0, utm_source="google")


def test_no_touch_stays_none() -> None:
    assert attribution.normalise(Touch(), Touch(), received=NOW) == (Touch(), Touch())


def test_touches_are_put_in_order_of_time() -> None:
    old, new = at(9, utm_source="old"), at(1, utm_source="new")
    assert attribution.normalise(new, old, received=NOW) == (old, new)


def test_a_browser_whose_clock_is_ahead_does_not_touch_the_future() -> None:
    first, last = attribution.normalise(
        at(3, utm_source="a"), at(-400, utm_source="b"), received=NOW
    )
    assert (first, to_datetime(last.time)) == (at(3, utm_source="a"), NOW - timedelta(days=3))
    assert attribution.normalise(Touch(), at(-400), received=NOW)[1] == at(0)


@pytest.mark.parametrize(
    ("touch", "key"),
    [
        (Touch(), "company_site"),
        (Touch(referrer="https://www.google.com/"), "company_site"),
        (Touch(utm_source="newsletter", utm_medium="email"), "company_site"),
        (Touch(click_ids={"gclid": "x"}), "contextual_ad"),
        (Touch(utm_source="yandex", utm_medium="CPC"), "contextual_ad"),
        (Touch(utm_source="facebook", utm_medium="cpc"), "social_network"),
        (Touch(click_ids={"fbclid": "x"}), "social_network"),
        (Touch(referrer="https://m.facebook.com/page"), "social_network"),
        (Touch(referrer="https://l.instagram.com/?u=x"), "social_network"),
        (Touch(utm_source="billboard", utm_medium="qr"), "other_advertising"),
        (Touch(click_ids={"dclid": "x"}), "other_advertising"),
        (Touch(referrer="http://[broken"), "company_site"),
    ],
)
def test_the_source_behind_a_touch(touch: Touch, key: str) -> None:
    assert attribution.source_key(touch) == key


_touches = st.builds(
    Touch,
    utm_source=st.text(max_size=10), landing_page=st.text(max_size=60), referrer=st.text(max_size=60),
    click_ids=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)  # fmt: skip


@given(_touches, _touches)
def test_whatever_a_browser_sends_is_kept_and_never_raises(first: Touch, last: Touch) -> None:
    one, other = attribution.normalise(first, last, received=NOW)
    assert attribution.normalise(one, other, received=NOW) == (one, other)
    assert attribution.source_key(other) in attribution.SOURCES
