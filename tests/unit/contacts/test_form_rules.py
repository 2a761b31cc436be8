"""Forms and what visitors send through them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.contacts.v1.form_pb2 import Form, FormField
from services.contacts import errors
from services.contacts.rules import forms as rules

ORDER = Form(
    fields=[
        FormField(key="given", label="First name", meaning=FormField.MEANING_NAME, required=True),
        FormField(key="family", label="Last name", meaning=FormField.MEANING_NAME),
        FormField(key="phone", label="Phone", meaning=FormField.MEANING_PHONE, required=True),
        FormField(key="mail", label="E-mail", meaning=FormField.MEANING_EMAIL),
        FormField(
            key="glass", label="Glass", type=FormField.TYPE_CHOICE, choices=["double", "triple"]
        ),
        FormField(key="agree", label="Consent", type=FormField.TYPE_YES_NO, required=True),
    ]
)
GOOD = {"given": "Jan", "phone": "601 234 567", "agree": True}


def test_answers_are_read_by_meaning_and_the_rest_is_kept() -> None:
    answers = rules.read(
        ORDER,
        GOOD | {"family": " Nowak ", "glass": "triple", "rooms": 3.0, "tags": ["a", 2.5, None]},
    )
    assert (answers.name, answers.phone, answers.email) == ("Jan Nowak", "601 234 567", "")
    assert answers.others == {"glass": "triple", "agree": "yes", "rooms": "3", "tags": "a, 2.5"}


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(errors.AnswersInvalid) as refused:
        rules.read(ORDER, {"given": "  ", "agree": False, "glass": "paper"})
    assert [v.field for v in refused.value.violations] == [
        "fields.given",
        "fields.phone",
        "fields.glass",
        "fields.agree",
    ]


def test_a_mistyped_phone_is_still_a_request() -> None:
    assert rules.read(ORDER, GOOD | {"phone": "six-oh-one"}).phone == "six-oh-one"


def test_overlong_answers_are_cut_not_refused() -> None:
    assert len(rules.read(ORDER, GOOD | {"given": "x" * 5000}).name) == 200


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), _json, max_size=6))
def test_any_json_is_taken(sent: dict[str, Any]) -> None:
    answers = rules.read(ORDER, sent | GOOD)
    assert (answers.name.split()[0], answers.phone) == ("Jan", "601 234 567")


def test_a_form_is_kept_in_one_spelling() -> None:
    form = Form(
        fields=ORDER.fields, allowed_origins=["HTTPS://Okna.example/", "https://okna.example"]
    )
    rules.normalise(form)
    assert list(form.allowed_origins) == ["https://okna.example"]


def test_a_wrong_form_is_refused_with_everything_that_is_wrong() -> None:
    form = Form(
        fields=[
            FormField(key="a"),
            FormField(key="a"),
            FormField(key="b", type=FormField.TYPE_CHOICE),
        ],
        allowed_origins=["okna.example", "https://okna.example/page"],
    )
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.normalise(form)
    assert [v.field for v in refused.value.violations] == [
        "fields[1].key", "fields[2].choices", "allowed_origins[0]", "allowed_origins[1]"
    ]  # fmt: skip


def test_only_pages_of_the_forms_sites_may_send_it() -> None:
    form = Form(allowed_origins=["https://okna.example"])
    rules.check_origin(form, "https://okna.example")
    rules.check_origin(form, "")
    rules.check_origin(Form(), "https://anybody.example")
    with pytest.raises(errors.OriginNotAllowed):
        rules.check_origin(form, "https://evil.example")


def test_rate_limit() -> None:
    assert (rules.rate_limit(Form()), rules.rate_limit(Form(rate_limit_per_minute=3))) == (10, 3)
