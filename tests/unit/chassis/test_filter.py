"""Filters as SQL: every operator of every kind, its parameters, and what is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect

from chassis.fold import phone_digits, search_key
from chassis.kit.filter import Compiled, Field, FilterError, compile_filter, parse

DIALECT = PGDialect(paramstyle="named")  # no driver's: the statement runs on the bare connection

TABLE = sa.Table(
    "things_of_tenant",
    sa.MetaData(),
    sa.Column("name_search", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("city_search", sa.Text),
    sa.Column("employees", sa.Integer),
    sa.Column("amount", sa.Numeric),
    sa.Column("create_time", sa.TIMESTAMP(timezone=True)),
    sa.Column("born", sa.Date),
    sa.Column("due", sa.Date),
    sa.Column("active", sa.Boolean),
    sa.Column("owner_id", sa.Uuid),
    sa.Column("state", sa.SmallInteger),
    sa.Column("labels", sa.ARRAY(sa.Text)),
    sa.Column("phones", sa.ARRAY(sa.Text)),
    sa.Column("team_ids", sa.ARRAY(sa.Uuid)),
    sa.Column("custom", postgresql.JSONB),
)
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
    "note": Field("custom", "custom_text", fold=search_key),
    "seats": Field("custom", "custom_number"),
    "budget": Field("custom", "custom_decimal"),
    "since": Field("custom", "custom_date"),
    "vip": Field("custom", "custom_bool"),
    "size": Field("custom", "custom_choice", enum={"S": "s", "L": "l"}),
    "colours": Field("custom", "custom_choices"),
    "agent": Field("custom", "custom_reference"),
}
ID = "01890000-0000-7000-8000-000000000001"
OTHER_ID = "01890000-0000-7000-8000-000000000002"

NUMBER = "CAST({} AS BIGINT)"
TEXT_OF = "jsonb_extract_path_text(custom, {})"
NUMBER_OF = (
    r"CASE WHEN (jsonb_extract_path_text(custom, {0})"
    r" ~ '^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{{1,2}})?$')"
    " THEN CAST(jsonb_extract_path_text(custom, {0}) AS NUMERIC) END"
)


def compiled(text: str) -> Compiled:
    return compile_filter(parse(text), FIELDS, CUSTOM)


def sql(text: str) -> str:
    """Return the clause with parameters as ``:f0`` and columns without their table."""
    statement = compiled(text).clause(TABLE.c).compile(dialect=DIALECT)
    assert set(statement.params) == set(compiled(text).params)  # nothing else became a parameter
    return str(statement).replace("things_of_tenant.", "")


@pytest.mark.parametrize(
    ("text", "clause", "params"),
    [
        ("", "true", []),
        # text
        ("code = x", "code = :f0", ["x"]),
        ("code = 12", "code = :f0", ["12"]),
        ("code != x", "code IS DISTINCT FROM :f0", ["x"]),
        ("code < x", "code < :f0", ["x"]),
        ("code >= x", "code >= :f0", ["x"]),
        ('name = "Wiśniewska-Nowak"', "name_search = :f0", ["wisniewska-nowak"]),
        ('name = "Wiś*"', "name_search LIKE :f0", ["wis%"]),
        ('name != "Wiś*"', "NOT coalesce(name_search LIKE :f0, false)", ["wis%"]),
        (r'code = "1_0%\\*"', "code LIKE :f0", [r"1\_0\%\\%"]),
        (r'code = "x\*"', "code = :f0", ["x*"]),
        ('name:"WIŚNI"', "name_search LIKE :f0", ["%wisni%"]),
        ("code = null", "code IS NULL", []),
        ("code != null", "code IS NOT NULL", []),
        ('code = "null"', "code = :f0", ["null"]),
        ("code:*", "code IS NOT NULL", []),
        ("code = *", "code IS NOT NULL", []),
        ("code != *", "code IS NULL", []),
        # a column with a sentinel for nothing
        ("city = null", "city_search = :f0", [""]),
        ("city:*", "city_search != :f0", [""]),
        ("city != Łódź", "city_search != :f0", ["lodz"]),
        ("due <= 2026-01-31", "due <= :f0 AND due != :f1", [date(2026, 1, 31), date.max]),
        ("due = 2026-01-31", "due = :f0", [date(2026, 1, 31)]),
        # numbers
        ("employees = 5", f"employees = {NUMBER.format(':f0')}", [5]),
        ("employees != -5", f"employees IS DISTINCT FROM {NUMBER.format(':f0')}", [-5]),
        ("employees > 5.0", f"employees > {NUMBER.format(':f0')}", [5]),
        ("employees <= 1e3", f"employees <= {NUMBER.format(':f0')}", [1000]),
        ("amount >= 10.50", "amount >= :f0", [Decimal("10.50")]),
        ('amount < "7"', "amount < :f0", [Decimal(7)]),
        ("amount = null", "amount IS NULL", []),
        # times
        ("create_time > 2026-01-31T09:00:00+01:00", "create_time > :f0",
         [datetime(2026, 1, 31, 8, tzinfo=UTC)]),
        ('createTime < "2026-01-31t08:00:00.123456789z"', "create_time < :f0",
         [datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)]),
        ("create_time >= 2026-01-31", "create_time >= :f0", [datetime(2026, 1, 31, tzinfo=UTC)]),
        ("born = 2000-02-29", "born = :f0", [date(2000, 2, 29)]),
        # bool, id, enum
        ("active = true", "active = :f0", [True]),
        ("active != false", "active IS DISTINCT FROM :f0", [False]),
        (f"owner_id = {ID.upper()}", "owner_id = :f0::UUID", [UUID(ID)]),
        (f'ownerId != "{ID}"', "owner_id IS DISTINCT FROM :f0::UUID", [UUID(ID)]),
        ("owner_id = null", "owner_id IS NULL", []),
        ("state = WON", "state = :f0", [2]),
        ("state != WON", "state IS DISTINCT FROM :f0", [2]),
        # lists
        ('labels:"vip"', "labels @> CAST(ARRAY[:f0] AS TEXT[])", ["vip"]),
        ('phones:"+48 22 123"', "phones @> CAST(ARRAY[:f0] AS TEXT[])", ["4822123"]),
        (f"team_ids:{ID}", "team_ids @> CAST(ARRAY[:f0::UUID] AS UUID[])", [UUID(ID)]),
        ("NOT labels:vip", "NOT coalesce(labels @> CAST(ARRAY[:f0] AS TEXT[]), false)", ["vip"]),
        ("labels:*", "cardinality(labels) > 0", []),
        ("labels = null", "NOT coalesce(cardinality(labels) > 0, false)", []),
        # custom fields
        ("custom.note = Łódź", "custom @> :f0::JSONB", [{"note": "lodz"}]),
        ("custom.note != x", "NOT coalesce(custom @> :f0::JSONB, false)", [{"note": "x"}]),
        ("custom.note = x*", f"{TEXT_OF.format(':f0')} LIKE :f1", ["note", "x%"]),
        ("custom.note > x", f"{TEXT_OF.format(':f0')} > :f1", ["note", "x"]),
        ("custom.seats = 3", "custom @> :f0::JSONB", [{"seats": 3}]),
        ("custom.seats > 3", f"{NUMBER_OF.format(':f0')} > :f1", ["seats", 3]),
        ("custom.budget = 1.50", f"{NUMBER_OF.format(':f0')} = :f1", ["budget", Decimal("1.50")]),
        ("custom.budget != 1e60", f"NOT coalesce({NUMBER_OF.format(':f0')} = :f1, false)",
         ["budget", Decimal("1e60")]),
        ("custom.budget <= 1.50", f"{NUMBER_OF.format(':f0')} <= :f1", ["budget", Decimal("1.50")]),
        ("custom.since = 2026-01-31", "custom @> :f0::JSONB", [{"since": "2026-01-31"}]),
        ("custom.since < 2026-01-31", f"{TEXT_OF.format(':f0')} < :f1", ["since", "2026-01-31"]),
        ("custom.vip = true", "custom @> :f0::JSONB", [{"vip": True}]),
        ("custom.size = L", "custom @> :f0::JSONB", [{"size": "l"}]),
        ("custom.colours:red", "custom @> :f0::JSONB", [{"colours": ["red"]}]),
        (f"custom.agent = {ID}", "custom @> :f0::JSONB", [{"agent": ID}]),
        ("custom.agent = null", f"{TEXT_OF.format(':f0')} IS NULL", ["agent"]),
        ("custom.colours:*", f"{TEXT_OF.format(':f0')} IS NOT NULL", ["colours"]),
    ],
)  # fmt: skip
def test_comparison(text: str, clause: str, params: list[Any]) -> None:
    assert sql(text) == clause
    values = list(compiled(text).params.values())
    assert values == params
    assert [type(value) for value in values] == [type(value) for value in params]


@pytest.mark.parametrize(
    ("text", "clause", "params"),
    [
        ("code = x AND active = true", "code = :f0 AND active = :f1", ["x", True]),
        ("code = x OR active = true", "code = :f0 OR active = :f1", ["x", True]),
        ("code = x (born = null OR due = null)",
         "code = :f0 AND (born IS NULL OR due = :f1)", ["x", date.max]),
        ("NOT (code = x AND born < 2026-01-01)",
         "NOT coalesce(code = :f0 AND born < :f1, false)", ["x", date(2026, 1, 1)]),
        ("NOT (code = x OR born < 2026-01-01)",
         "NOT coalesce(code = :f0 OR born < :f1, false)", ["x", date(2026, 1, 1)]),
        ("-code = x", "code IS DISTINCT FROM :f0", ["x"]),
        ("NOT code != x", "code = :f0", ["x"]),
        ("NOT code < x", "NOT coalesce(code < :f0, false)", ["x"]),
        ("custom.vip = true OR custom.seats = 1",
         "(custom @> :f0::JSONB) OR (custom @> :f1::JSONB)", [{"vip": True}, {"seats": 1}]),
    ],
)  # fmt: skip
def test_logic(text: str, clause: str, params: list[Any]) -> None:
    assert sql(text) == clause
    assert list(compiled(text).params.values()) == params


@pytest.mark.parametrize(
    ("text", "clause", "params"),
    [
        ("state = OPEN OR state = WON", "state = ANY (:f0)", [[1, 2]]),
        ("employees = 1 OR employees = 2 OR employees = 3",
         "employees = ANY (CAST(:f0 AS BIGINT[]))", [[1, 2, 3]]),
        (f"owner_id = {ID} OR owner_id = {OTHER_ID}",
         "owner_id = ANY (:f0)", [[UUID(ID), UUID(OTHER_ID)]]),
        ("name = Łuk OR name = Ala", "name_search = ANY (:f0)", [["luk", "ala"]]),
        ("labels:a OR labels:b", "labels && :f0", [["a", "b"]]),
        ("code = a OR code = b* OR code = c OR code = null",
         "code = ANY (:f0) OR code LIKE :f1 OR code IS NULL", [["a", "c"], "b%"]),
    ],
)  # fmt: skip
def test_alternatives_of_one_field_become_one_array(
    text: str, clause: str, params: list[Any]
) -> None:
    assert sql(text) == clause
    assert list(compiled(text).params.values()) == params


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("code = x AND employees > 1", "code = y employees > 2"),
        ("state = OPEN OR state = WON", "state = OPEN OR state = WON OR state = LOST"),
        ("custom.vip = true", 'custom.note = "x"'),
        ("custom.seats > 1", "custom.seats > 2"),
        ("code = null", "NOT code != null"),
    ],
)
def test_equal_shapes_have_equal_sql(one: str, other: str) -> None:
    assert compiled(one).shape == compiled(other).shape
    assert sql(one) == sql(other)


DIFFERENT = [
    "", "code = x", "code != x", "code < x", "code = x*", "code = null", "code != null",
    "NOT code < x", "employees = 1", "state = OPEN", "state = OPEN OR state = WON", "labels:a",
    "labels:a OR labels:b", "labels:*", "labels = null", "city = x", "city < x", "due = null",
    "custom.note = x", "custom.note > x", "custom.seats > 1", "custom.budget > 1",
    "code = x AND state = OPEN", "code = x OR state = OPEN", "state = OPEN AND code = x",
]  # fmt: skip


def test_different_sql_has_different_shapes() -> None:
    by_shape: dict[object, set[str]] = {}
    for text in DIFFERENT:
        by_shape.setdefault(compiled(text).shape, set()).add(sql(text))
    assert [clauses for clauses in by_shape.values() if len(clauses) > 1] == []
    assert len({clause for clauses in by_shape.values() for clause in clauses}) > 20


def test_no_value_reaches_the_sql_text() -> None:
    text = 'code = "\'; drop table x; --" AND custom.note = "%(f9)s :f9" AND code = \':x%s\''
    assert sql(text) == "code = :f0 AND (custom @> :f1::JSONB) AND code = :f2"


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("amount > x", 9, "amount must be a number, got 'x'"),
        ("amount > 1e999", 9, "amount must be a number, got '1e999'"),
        ("amount > NaN", 9, "amount must be a number, got 'NaN'"),
        ("employees = 1.5", 12, "employees must be a whole number, got '1.5'"),
        ("employees = 9223372036854775808", 12,
         "employees must fit in 64 bits, got '9223372036854775808'"),
        ("born = 2026-02-30", 7, "born must be a date (2026-01-31), got '2026-02-30'"),
        ("born = 2026-W01-1", 7, "born must be a date (2026-01-31), got '2026-W01-1'"),
        ("create_time > 2026-01-31T08:00:00", 14,
         "create_time must be a time with its zone (2026-01-31T08:00:00Z) or a date,"
         " got '2026-01-31T08:00:00'"),
        ("create_time > 0001-01-01T00:00:00+05:00", 14,
         "create_time must be a time with its zone (2026-01-31T08:00:00Z) or a date,"
         " got '0001-01-01T00:00:00+05:00'"),
        ("active = yes", 9, "active must be true or false, got 'yes'"),
        ("owner_id = me", 11, "owner_id must be an id (UUID), got 'me'"),
        ("state = DONE", 8, "state must be one of OPEN, WON, LOST, got 'DONE'"),
        ("custom.size = M", 14, "custom.size must be one of S, L, got 'M'"),
        ("custom.budget = much", 16, "custom.budget must be a number, got 'much'"),
        ("state > OPEN", 0, "state has no >; expected one of = !="),
        ("state:OPEN", 0, "state has no :; expected one of = !="),
        ("active < true", 0, "active has no <; expected one of = !="),
        ("labels = vip", 0, "labels has no =; expected one of :"),
        ("code:abc", 0, "code has no :; expected one of = != < <= > >="),
        ("custom.vip > true", 0, "custom.vip has no >; expected one of = !="),
        ('name:"ab"', 5, "name needs three letters or digits in a row to look inside, got 'ab'"),
        ('name = "!*"', 7, "name needs a letter or digit before *, got '!*'"),
        ("amount = 1*", 9, "amount has no beginning to look for: only text ends in *, got '1*'"),
        ("labels:v*", 7, "labels has no beginning to look for: only text ends in *, got 'v*'"),
        ("code < a*", 7, "code has no beginning to look for: write = before *, got 'a*'"),
        ("code < null", 7, "code cannot be compared with nothing by <, got 'null'"),
        ("code:null", 5, "code cannot be compared with nothing by :, got 'null'"),
        ("code > *", 7, "code cannot be compared with nothing by >, got '*'"),
        ("custom.nothing = 1", 0, "cannot filter by custom.nothing"),
        ("a = 1 OR a = 2", 0, "cannot filter by a; expected one of " + ", ".join(sorted(FIELDS))),
    ],
)  # fmt: skip
def test_refusals_name_the_field_and_what_was_expected(
    text: str, position: int, message: str
) -> None:
    with pytest.raises(FilterError) as refusal:
        compiled(text)
    assert (refusal.value.message, refusal.value.position) == (message, position)


NAMES = [*FIELDS, *(f"custom.{key}" for key in CUSTOM)]
VALUES = ["x", "1", "-2.5", "true", "null", "*", "abc*", '"żółw"', "2026-01-31", ID, "OPEN", "L"]
COMPARISONS = st.builds(
    "{} {} {}".format,
    st.sampled_from(NAMES),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">=", ":"]),
    st.sampled_from(VALUES),
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds("NOT ({})".format, inner)
        | st.builds("({} AND {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
    ),
    max_leaves=8,
)


@given(FILTERS)
def test_whatever_is_read_compiles_or_is_refused(text: str) -> None:
    try:
        node = parse(text)
        result = compile_filter(node, FIELDS, CUSTOM)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        return
    statement = result.clause(TABLE.c).compile(dialect=DIALECT)
    assert set(statement.params) == set(result.params)
    assert list(result.params) == [f"f{number}" for number in range(len(result.params))]
    hash(result.shape)


SPARSE = {
    "campaign": Field("code", "text", sentinel="", sparse=("due", "'9999-12-31'::date")),
    "clicks": Field("labels", "text_array", sparse=("due", "'9999-12-31'::date")),
    "due": Field("due", "date", sentinel=date.max, sparse=("due", "'9999-12-31'::date")),
}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("campaign = spring", True),
        ("campaign = spr*", True),
        ("campaign:*", True),
        ("campaign = a OR campaign = b", True),
        ("clicks:gclid", True),
        ("clicks:a OR clicks:b", True),
        ("due < 2026-01-31", True),
        ('campaign = ""', False),
        ('campaign = "" OR campaign = a', False),
        ("campaign != spring", False),
        ("campaign != *", False),
    ],
)
def test_who_asks_for_a_value_says_that_the_rows_are_in_the_sparse_index(
    written: str, says: bool
) -> None:
    compiled = compile_filter(parse(written), SPARSE, {})
    told = str(sa.select(sa.true()).where(compiled.clause(TABLE.c)).compile(dialect=DIALECT))
    assert ("due != '9999-12-31'::date" in told) is says, told
