"""What is pushed and how it is sealed: the vector of RFC 8291, keys, endpoints, answers."""

from datetime import UTC, datetime, timedelta

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from crm.notifications.v1 import notice_pb2
from services.notifications import errors
from services.notifications.rules import push
from tests.service.notifications.browsers import Device

Notice = notice_pb2.Notice
NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
SEED = b"s" * 32

# RFC 8291, appendix A
TEXT = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6"
    "cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def key_of(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(push.decoded(text)), ec.SECP256R1())


def notice(**values: object) -> Notice:
    made = Notice(
        id="n1",
        owner_id="u1",
        code="task_assigned",
        object="task",
        object_id="t1",
        headline="Call Ana",
        count=1,
    )
    made.MergeFrom(Notice(**values))  # type: ignore[arg-type]
    return made


def test_the_vector_of_rfc_8291() -> None:
    to = push.browser("https://push.example.com/x", RECEIVER, AUTH, private=False)

    assert push.sealed(TEXT, to, salt=push.decoded(SALT), sender=key_of(SENDER)) == push.decoded(
        SEALED
    )


@given(st.binary(max_size=push.MOST_BYTES))
def test_what_is_sealed_is_read_by_that_browser_alone(text: bytes) -> None:
    device, other = Device(), Device()
    sender = ec.generate_private_key(ec.SECP256R1())

    body = push.sealed(text, device.browser("https://p.example"), salt=b"0" * 16, sender=sender)

    assert device.read(body) == text
    assert len(body) <= 4096
    assert other.read(body) is None


def test_more_than_push_services_take_is_never_sent() -> None:
    to = Device().browser("https://p.example")

    with pytest.raises(ValueError, match="a push of 3994 bytes; at most 3993"):
        push.sealed(b"x" * (push.MOST_BYTES + 1), to, salt=b"0" * 16, sender=key_of(SENDER))


def test_a_company_s_key_is_always_the_same_and_another_s_differs() -> None:
    one, again, other = (push.own_key(SEED, tenant) for tenant in ("a", "a", "b"))
    of_another_installation = push.own_key(b"t" * 32, "a")

    assert push.point(one) == push.point(again)
    assert len({push.point(one), push.point(other), push.point(of_another_installation)}) == 3


def test_the_vapid_token_names_the_push_service_and_the_sender() -> None:
    key = push.own_key(SEED, "a")

    says = push.authorization(
        "https://push.example.com:8443/x?y", key, contact="mailto:it@example.com", now_s=100
    )

    scheme, _, rest = says.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    claims = jwt.decode(
        parts["t"], key.public_key(), algorithms=["ES256"], audience="https://push.example.com:8443",
        options={"verify_exp": False},
    )  # fmt: skip
    assert (scheme, push.decoded(parts["k"])) == ("vapid", push.point(key))
    assert claims["sub"] == "mailto:it@example.com"
    assert claims["exp"] == 100 + 12 * 3600
    assert "sub" not in jwt.decode(
        push.authorization("https://p", key, contact="", now_s=1).split("=")[1].split(",")[0],
        options={"verify_signature": False},
    )


def test_personal_text_travels_only_where_it_is_allowed() -> None:
    contact_id = "c1"
    about = notice(contact_ids=[contact_id])

    plain, personal = (orjson.loads(push.payload(about, personal=p)) for p in (False, True))

    assert "headline" not in plain
    assert b"Ana" not in push.payload(about, personal=False)
    assert personal == {**plain, "headline": "Call Ana"}
    assert (plain["code"], plain["object"], plain["id"], plain["noticeId"]) == (
        "task_assigned",
        "task",
        "t1",
        "n1",
    )
    assert plain["actions"] == [
        {"name": "done", "method": "POST", "path": "/v1/tasks/t1:complete"},
        {"name": "snooze", "method": "POST", "path": "/v1/notices/n1:snooze"},
        {"name": "call", "method": "GET", "path": "/v1/contacts/c1"},
    ]


def test_what_is_no_task_is_done_with_its_notice_and_nobody_is_called_without_a_contact() -> None:
    about = orjson.loads(push.payload(notice(object="request"), personal=False))

    assert [(a["name"], a["path"]) for a in about["actions"]] == [
        ("done", "/v1/notices/n1:finish"), ("snooze", "/v1/notices/n1:snooze"),
    ]  # fmt: skip


def test_the_largest_payload_fits() -> None:
    longest = notice(headline="ż" * 300, code="c" * 60, object="o" * 60, contact_ids=["c" * 36])

    assert len(push.payload(longest, personal=True)) < push.MOST_BYTES


def test_one_matter_has_one_topic() -> None:
    first, again, other = (
        push.topic(notice(id=id, object_id=o))
        for id, o in (("n1", "t1"), ("n2", "t1"), ("n3", "t2"))
    )

    assert first == again != other
    assert len(first) <= 32


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"endpoint": "http://push.example.com/x"}, "endpoint", "https"),
        ({"endpoint": "https://u:p@push.example.com/x"}, "endpoint", "without a user"),
        ({"endpoint": "https:///x"}, "endpoint", "name a host"),
        ({"p256dh": "!!"}, "p256dh", "base64url"),
        ({"p256dh": AUTH}, "p256dh", "has 16 bytes; it must be 65"),
        ({"p256dh": push.encoded(b"\x04" + b"\x01" * 64)}, "p256dh", "not a point"),
        ({"auth": "BTBZ"}, "auth", "has 3 bytes; it must be 16"),
    ],
)
def test_what_no_browser_gives_is_refused(change: dict[str, str], field: str, says: str) -> None:
    good = {"endpoint": "https://push.example.com/x", "p256dh": RECEIVER, "auth": AUTH}

    with pytest.raises(errors.PushSubscriptionInvalid) as refused:
        push.browser(**{**good, **change}, private=False)

    (violation,) = refused.value.violations
    assert violation.field == field
    assert says in violation.description


@pytest.mark.parametrize(
    ("says", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("99999999", timedelta(hours=6)),
        ("Wed, 01 May 2030 12:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 01 May 2030 11:00:00 GMT", timedelta()),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(says: str, wait: timedelta | None) -> None:
    assert push.retry_after({"retry-after": says}, NOW) == wait


def test_which_answers_end_a_device_and_which_are_tried_again() -> None:
    statuses = (201, 400, 403, 404, 408, 410, 413, 429, 500, 503)

    assert [s for s in statuses if push.is_gone(s)] == [404, 410]
    assert [s for s in statuses if push.is_temporary(s)] == [408, 429, 500, 503]
