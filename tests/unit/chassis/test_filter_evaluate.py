"""Filters in Python: what each comparison says of a row, and that refusals are those of the SQL."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.fold import phone_digits, search_key
from chassis.kit.custom_values import contains, number_of, order_of, text_of
from chassis.kit.filter import Field, FilterError, compile_filter, evaluate, parse, predicate

FIELDS = {
    "name": Field("name_search", "text", fold=search_key, trigram=True),
    "code": Field("code", "text"),
    "city": Field("city_search", "text", fold=search_key, sentinel=""),
    "employees": Field("employees", "number"),
    "amount": Field("amount", "decimal"),
    "create_time": Field("create_time", "timestamp"),
    "born": Field("born", "date"),
    "due": Field("due", "date", sentinel=date.max),
    "active": Field("active", "bool"),
    "owner_id": Field("owner_id", "uuid"),
    "state": Field("state", "enum", enum={"OPEN": 1, "WON": 2, "LOST": 3}),
    "labels": Field("labels", "text_array"),
    "phones": Field("phones", "text_array", fold=phone_digits),
    "team_ids": Field("team_ids", "uuid_array"),
}
CUSTOM = {
    "note": Field("custom", "custom_text", fold=search_key, trigram=True),
    "seats": Field("custom", "custom_number"),
    "budget": Field("custom", "custom_decimal"),
    "since": Field("custom", "custom_date"),
    "vip": Field("custom", "custom_bool"),
    "size": Field("custom", "custom_choice", enum={"S": "s", "L": "l"}),
    "colours": Field("custom", "custom_choices"),
    "agent": Field("custom", "custom_reference"),
}
ID = "01890000-0000-7000-8000-00000000000a"
OTHER_ID = "01890000-0000-7000-8000-00000000000b"

FILLED: dict[str, Any] = {
    "name_search": "wisniewska nowak",
    "code": "A_1%",
    "city_search": "lodz",
    "employees": 5,
    "amount": Decimal("10.50"),
    "create_time": datetime(2026, 1, 31, 8, tzinfo=UTC),
    "born": date(2000, 2, 29),
    "due": date(2026, 1, 31),
    "active": True,
    "owner_id": ID,
    "state": 2,
    "labels": ["vip", "new"],
    "phones": ["4822123"],
    "team_ids": [ID],
    "custom": {
        "note": "zolty dom",
        "seats": 3.0,
        "budget": "1.50",
        "since": "2026-01-31",
        "vip": True,
        "size": "l",
        "colours": ["red", "blue"],
        "agent": ID,
    },
}
EMPTY: dict[str, Any] = {
    **dict.fromkeys(FILLED),
    "city_search": "",
    "due": date.max,
    "labels": [],
    "custom": {},
}


def holds(text: str, row: dict[str, Any]) -> bool:
    return evaluate(parse(text), FIELDS, CUSTOM, row)


TRUE_OF_FILLED = [
    "", "code = 'A_1%'", "code != x", "code < B", "code >= A", "code = A_*", r'code != "A\*"', "code:*", "code != null",
    'name = "Wiśniewska Nowak"', 'name = "WIŚ*"', "name:NIEWSK", "city = Łódź", "city != null", "city > a", "due < 2026-02-01",
    "due != 2026-02-01", "employees = 5.0", "employees > 4", "employees <= 5", "amount = 10.5", "amount < 1e2",
    "create_time = 2026-01-31T09:00:00+01:00", "create_time > 2026-01-31", "born = 2000-02-29", "active = true",
    "active != false", f"owner_id = {ID.upper()}", f"owner_id != {OTHER_ID}", "state = WON", "state != OPEN", "labels:vip",
    "labels:*", "labels != null", 'phones:"+48 22 123"', f"team_ids:{ID}", "NOT labels:old", "labels:old OR labels:new",
    "state = OPEN OR state = WON", "custom.note = 'Żółty dom'", "custom.note = żółty*", "custom.note:olty", "custom.note > z",
    "custom.seats = 3", "custom.seats > 2", "custom.seats != 4", "custom.budget = 1.5", "custom.budget <= 1.500",
    "custom.since = 2026-01-31", "custom.since < 2026-02-01", "custom.vip = true", "custom.size = L", "custom.colours:blue",
    "NOT custom.colours:green", f"custom.agent = {ID.upper()}", "custom.agent:*", "custom.colours != null",
    "NOT (code = x AND state = WON)", "(code = x OR state = WON) AND active = true", "NOT (NOT code < B)",
]  # fmt: skip
TRUE_OF_EMPTY = [
    "", "code = null", "code != x", "code != *", "NOT code < x", "NOT code = x", "code != x*", "city = null", "city != lodz",
    "NOT city > a", "due = null", "due != 2026-01-31", "NOT due > 2026-01-31", "employees = null", "employees != 5",
    "NOT amount > 0", "active = null", "active != true", f"owner_id != {ID}", "state != WON", "labels = null",
    "NOT labels:vip", "phones = null", "team_ids != *", "custom.note != x", "custom.note != x*", "NOT custom.note > a",
    "custom.seats = null", "custom.seats != 3", "NOT custom.seats < 9", "custom.budget != 1.5", "custom.since = null",
    "custom.vip != true", "custom.size = null", "custom.colours = null", "NOT custom.colours:red", f"custom.agent != {ID}",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE_OF_FILLED)
def test_holds_for_the_filled_row(text: str) -> None:
    assert holds(text, FILLED)
    assert not holds(f"NOT ({text})" if text else "NOT code:*", FILLED)


@pytest.mark.parametrize("text", TRUE_OF_EMPTY)
def test_holds_for_the_empty_row(text: str) -> None:
    assert holds(text, EMPTY)
    assert not holds(f"NOT ({text})" if text else "NOT code = null", EMPTY)


@pytest.mark.parametrize(
    ("text", "custom"),
    [
        ("custom.seats = 1", {"seats": True}),
        ("custom.seats = 3", {"seats": "3"}),
        ("custom.vip = true", {"vip": 1}),
        ("custom.colours:red", {"colours": "red"}),
        ("custom.note = red", {"note": ["red"]}),
        ("custom.budget:*", {"budget": "much"}),
        ("custom.budget > 0", {"budget": "1e100"}),
        ("custom.budget = 1", {"budget": "1\n"}),
    ],
)
def test_a_value_of_another_kind_is_not_equal(text: str, custom: dict[str, Any]) -> None:
    assert not holds(text, {**EMPTY, "custom": custom})


def test_number_written_as_text_has_its_place_among_numbers() -> None:
    assert holds("custom.seats > 9", {**EMPTY, "custom": {"seats": "10"}})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("ż", "ż"), (True, "true"), (5, "5"), (5.0, "5.0"), (-0.0, "0.0"), (1e22, "10000000000000000000000"),
        (1e-7, "0.0000001"), ([], "[]"), (["a", 'q"', None, 1.5], '["a", "q\\"", null, 1.5]'),
        ({"bb": 1, "a": {}, "ż": False}, '{"a": {}, "bb": 1, "ż": false}'),
    ],
)  # fmt: skip
def test_text_of_a_custom_value(value: Any, text: str | None) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1.50", Decimal("1.5")),
        (3.0, Decimal(3)),
        ("+2e2", Decimal(200)),
        (0.1, Decimal("0.1")),
        ("١", None),
        (True, None),
    ],
)
def test_number_of_a_custom_value(value: Any, number: Decimal | None) -> None:
    assert number_of(value) == number


def test_numbers_are_the_same_by_value_and_not_by_type() -> None:
    assert contains(5.0, 5)
    assert contains([1, 5.0], [5])
    assert not contains(9.223372036854775e18, 9223372036854774784)  # jsonb holds ...775000


@pytest.mark.parametrize(
    ("kind", "ascending"),
    [
        ("custom_number", [None, -3, 0, 2.0, 10]),
        ("custom_decimal", ["none", "-3", "2.50", "10.1", "1e2"]),
        ("custom_date", [None, "1999-12-31", "2026-01-02", "2026-01-10"]),
        ("custom_text", [None, "Adam", "bea", "Cid", "ŁANIA", "łapa"]),
    ],
)
def test_custom_fields_are_ordered_by_value(kind: str, ascending: list[Any]) -> None:
    keys = [order_of({"k": value} if value is not None else {}, "k", kind) for value in ascending]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_only_the_first_200_characters_of_a_text_count() -> None:
    assert order_of({"k": "A" * 300}, "k", "custom_text") == "a" * 200


COMPARISONS = st.builds(
    "{} {} {}".format,
    st.sampled_from([*FIELDS, *(f"custom.{key}" for key in CUSTOM), "nothing", "custom.nothing"]),
    st.sampled_from(["=", "!=", "<", ">=", ":"]),
    st.sampled_from(
        ["x", "1", "true", "null", "*", "abc*", "'!*'", "'żółw'", "2026-01-31", ID, "OPEN", "L"]
    ),
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds("NOT ({})".format, inner)
        | st.builds("({} AND {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
    ),
    max_leaves=5,
)


def refusals(text: str) -> tuple[set[str], set[str]]:
    """What compile_filter and predicate say against the filter."""
    found: tuple[set[str], set[str]] = (set(), set())
    for read, said in zip((compile_filter, predicate), found, strict=True):
        try:
            read(parse(text), FIELDS, CUSTOM)
        except FilterError as error:
            said.add(str(error))
    return found


@given(COMPARISONS)
def test_python_refuses_what_sql_refuses_in_the_same_words(text: str) -> None:
    of_sql, of_python = refusals(text)
    assert of_sql == of_python


@given(FILTERS)
def test_every_row_passes_a_filter_or_its_negation(text: str) -> None:
    of_sql, of_python = refusals(text)
    assert bool(of_sql) == bool(of_python)
    if not of_sql:
        for row in (FILLED, EMPTY):
            assert holds(text, row) is not holds(f"NOT ({text})", row)
