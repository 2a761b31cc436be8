"""SQL and Python agree: a filter selects the same rows, an order gives the same sequence."""

import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.schema import CreateTable

from chassis.db.pool import connect
from chassis.db.statement import Statement
from chassis.fold import phone_digits, search_key
from chassis.kit.custom_values import order_in_sql, order_of
from chassis.kit.filter import Field, FilterError, Node, compile_filter, parse, predicate
from chassis.kit.filter_syntax import MAX_LENGTH
from chassis.testing import servers

ROWS = 300
TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name_search", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("city_search", sa.Text, nullable=False),
    sa.Column("employees", sa.Integer),
    sa.Column("amount", sa.Numeric),
    sa.Column("create_time", sa.TIMESTAMP(timezone=True)),
    sa.Column("born", sa.Date),
    sa.Column("due", sa.Date, nullable=False),
    sa.Column("active", sa.Boolean),
    sa.Column("owner_id", sa.Uuid),
    sa.Column("state", sa.SmallInteger),
    sa.Column("source", sa.Text),
    sa.Column("labels", sa.ARRAY(sa.Text)),
    sa.Column("phones", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("team_ids", sa.ARRAY(sa.Uuid)),
    sa.Column("custom", postgresql.JSONB, nullable=False),
)
FIELDS = {
    "name": Field("name_search", "text", fold=search_key, trigram=True),
    "code": Field("code", "text", trigram=True),
    "city": Field("city_search", "text", fold=search_key, sentinel=""),
    "employees": Field("employees", "number"),
    "amount": Field("amount", "decimal"),
    "create_time": Field("create_time", "timestamp"),
    "born": Field("born", "date"),
    "due": Field("due", "date", sentinel=date.max, sparse=("due", "'9999-12-31'::date")),
    "active": Field("active", "bool"),
    "owner_id": Field("owner_id", "uuid"),
    "state": Field("state", "enum", enum={"OPEN": 1, "WON": 2, "LOST": 3}),
    "source": Field("source", "enum", enum={"FORM": "form", "MAIL": "mail"}),
    "labels": Field("labels", "text_array"),
    "phones": Field("phones", "text_array", fold=phone_digits),
    "team_ids": Field("team_ids", "uuid_array"),
}
CUSTOM = {
    "note": Field("custom", "custom_text", trigram=True),
    "motto": Field("custom", "custom_text", fold=search_key),
    "seats": Field("custom", "custom_number"),
    "budget": Field("custom", "custom_decimal"),
    "since": Field("custom", "custom_date"),
    "vip": Field("custom", "custom_bool"),
    "size": Field("custom", "custom_choice", enum={"S": "s", "L": "l"}),
    "colours": Field("custom", "custom_choices", enum={"RED": "red", "BLUE": "blue"}),
    "agent": Field("custom", "custom_reference"),
}
IDS = [f"01890000-0000-7000-8000-00000000000{digit}" for digit in "1234ab"]
TEXTS = [
    "", "a", "A", "abc", "Abc", "ABCD", "abc%d", "abc_d", "a\\b", 'say "abc"', "it's", "Łódź", "łódka", "ŻÓŁW", "żółw", "İstanbul",
    "ΣΑΣ", "σας", "100", "12.5", "-7", "1e3", "2026-01-31", "null", "true", "漢字", "😀 abc", "a b", "line\nbreak", "tab\t",
    "\x01", "z" * 250, "z" * 250 + "a",
]  # fmt: skip
NUMBERS = [-(2**31), -7, -1, 0, 1, 2, 5, 10, 100, 1000, 2**31 - 1]
DECIMALS = [
    Decimal(t)
    for t in ("-7", "0", "0.00", "1", "1.5", "1.50", "2.25", "10", "99999999999999999999.99")
]
DATES = [
    date(1, 1, 1),
    date(1999, 12, 31),
    date(2000, 2, 29),
    date(2026, 1, 30),
    date(2026, 1, 31),
    date(9999, 12, 30),
]
TIMES = [datetime(2026, 1, 31, 8, tzinfo=UTC) + timedelta(microseconds=n) for n in (-1, 0, 1)] + [
    datetime(2026, 1, 31, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, 23, 59, tzinfo=UTC),
]  # fmt: skip
JSON_NUMBERS = [
    0,
    -0.0,
    1,
    1.0,
    2,
    5,
    -7,
    0.1,
    1.5,
    100,
    1000.0,
    1e16,
    1e22,
    1e-7,
    9.223372036854775e18,
    2**53,
]
JSON_TEXTS = [text for text in TEXTS if text]
OF_KIND: dict[str, list[Any]] = {
    "note": JSON_TEXTS,
    "motto": [search_key(text) for text in JSON_TEXTS],
    "seats": JSON_NUMBERS,
    "budget": [
        "1.50",
        "1.5",
        "1.500",
        "-7",
        "0",
        "10",
        "99999999999999999999.99",
        "1e3",
        "+5",
        "1e100",
        1.5,
        7,
    ],
    "since": [day.isoformat() for day in DATES],
    "vip": [True, False],
    "size": ["s", "l"],
    "colours": [["red"], ["blue"], ["red", "blue"], []],
    "agent": IDS,
}
ODD = [
    None,
    [],
    {},
    ["red", 1, None, 'ż"\n'],
    {"bb": 1, "a": [True], "ż": 5.0},
    "text",
    5,
    1.5,
    True,
    "1.5",
    ["1"],
]


def some_row(chance: random.Random) -> dict[str, Any]:
    """A row whose every column is sometimes empty and whose custom values are sometimes of another kind."""

    def maybe(values: list[Any]) -> Any:
        return None if chance.random() < 0.15 else chance.choice(values)

    def several(values: list[Any]) -> list[Any]:
        return chance.sample(values, chance.randint(0, 3))

    custom = {
        key: chance.choice(ODD if chance.random() < 0.1 else values)
        for key, values in OF_KIND.items()
        if chance.random() < 0.8
    }
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128))),
        "name_search": maybe([search_key(text) for text in TEXTS]),
        "code": maybe(TEXTS),
        "city_search": search_key(chance.choice(TEXTS)),
        "employees": maybe(NUMBERS),
        "amount": maybe(DECIMALS),
        "create_time": maybe(TIMES),
        "born": maybe(DATES),
        "due": chance.choice([*DATES, date.max]),
        "active": maybe([True, False]),
        "owner_id": maybe(IDS),
        "state": maybe([1, 2, 3]),
        "source": maybe(["form", "mail"]),
        "labels": maybe([several(TEXTS)]),
        "phones": several(["4822123", "48221234", "22"]),
        "team_ids": maybe([several(IDS)]),
        "custom": custom,
    }


CHANCE = random.Random(20260131)
STORED = [some_row(CHANCE) for _ in range(ROWS)]


@pytest_asyncio.fixture(scope="module")
async def things() -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with the table and all of STORED in it."""
    connection = await connect(servers.postgres_url(servers.create_database()))
    await connection.execute(str(CreateTable(TABLE).compile(dialect=dialect())))
    insert = Statement(sa.insert(TABLE))
    await connection.executemany(insert.sql, [insert.arguments(row, None) for row in STORED])
    yield connection
    await connection.close()


def quoted(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*") + '"'


def starred(text: str) -> str:
    return quoted(text)[:-1] + '*"'


TEXT_VALUES = (
    st.sampled_from(TEXTS)
    .map(lambda text: text.replace("\x01", ""))
    .filter(lambda text: "\n" not in text)
)
NUMBER_VALUES = st.sampled_from(
    [*NUMBERS, *DECIMALS, "1e3", "9223372036854775000", "9223372036854774784"]
).map(str)
DATE_VALUES = st.sampled_from([*DATES, date.max]).map(date.isoformat)
TIME_VALUES = st.sampled_from(TIMES).map(lambda time: quoted(time.isoformat())) | DATE_VALUES
ID_VALUES = st.sampled_from(IDS + [id.upper() for id in IDS])
WORDS = TEXT_VALUES.map(quoted) | TEXT_VALUES.map(lambda text: starred(text[:3]))
VALUES: dict[str, st.SearchStrategy[str]] = {
    "text": WORDS,
    "number": NUMBER_VALUES,
    "decimal": NUMBER_VALUES,
    "timestamp": TIME_VALUES,
    "date": DATE_VALUES,
    "bool": st.sampled_from(["true", "false"]),
    "uuid": ID_VALUES,
    "text_array": TEXT_VALUES.map(quoted) | st.sampled_from(['"+48 22 123"', "22"]),
    "uuid_array": ID_VALUES,
    "custom_text": WORDS,
    "custom_number": NUMBER_VALUES,
    "custom_decimal": NUMBER_VALUES,
    "custom_date": DATE_VALUES,
    "custom_bool": st.sampled_from(["true", "false"]),
    "custom_reference": ID_VALUES,
}
ALL = {**FIELDS, **{f"custom.{key}": field for key, field in CUSTOM.items()}}


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(list(ALL)))
    field = ALL[name]
    op = draw(st.sampled_from(field.operators))
    if draw(st.integers(0, 7)) == 0:
        return name + draw(st.sampled_from([":*", " = null", " != null", " = *", " != *"]))
    value = draw(st.sampled_from(list(field.enum)) if field.enum else VALUES[field.kind])
    return f"{name} {op} {value}"


FILTERS = st.recursive(
    comparisons(),
    lambda inner: (
        st.builds("NOT ({})".format, inner)
        | st.builds("-{}".format, comparisons())
        | st.builds("({} AND {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
    ),
    max_leaves=6,
)


async def selected(things: asyncpg.Connection, node: Node) -> set[str]:
    """The ids of the rows that the SQL selects."""
    compiled = compile_filter(node, FIELDS, CUSTOM)
    statement = Statement(sa.select(TABLE.c.id).where(compiled.clause(TABLE.c)))
    rows = await things.fetch(statement.sql, *statement.arguments(compiled.params, None))
    return {str(row["id"]) for row in rows}


async def assert_agreement(things: asyncpg.Connection, text: str) -> None:
    node = parse(text)
    try:
        holds = predicate(node, FIELDS, CUSTOM)
    except FilterError:
        return  # a part of a text without three letters, or a beginning that folds to nothing
    assert {row["id"] for row in STORED if holds(row)} == await selected(things, node)


@pytest.mark.large
@settings(max_examples=400, deadline=None)
@given(comparisons())
async def test_a_comparison_selects_the_same_rows(things: asyncpg.Connection, text: str) -> None:
    await assert_agreement(things, text)
    await assert_agreement(things, f"NOT {text}")
    await assert_agreement(things, f"NOT ({text} AND state != LOST)")


@pytest.mark.large
@settings(max_examples=400, deadline=None)
@given(FILTERS.filter(lambda text: len(text) <= MAX_LENGTH))
async def test_a_filter_selects_the_same_rows(things: asyncpg.Connection, text: str) -> None:
    await assert_agreement(things, text)


async def test_every_column_tells_rows_apart(things: asyncpg.Connection) -> None:
    """The agreement above would mean little if filters selected nothing or everything."""
    for name in ALL:
        filled = await selected(things, parse(f"{name}:*"))
        assert 30 < len(filled) < ROWS, name


async def test_custom_fields_sort_the_same_and_are_never_null(things: asyncpg.Connection) -> None:
    for key, field in CUSTOM.items():
        sort = order_in_sql(TABLE.c.custom, key, field.kind)
        statement = Statement(sa.select(TABLE.c.id, sort.label("key")).order_by(sort, TABLE.c.id))
        rows = await things.fetch(statement.sql, *statement.arguments({}, None))

        expected = sorted((order_of(row["custom"], key, field.kind), row["id"]) for row in STORED)
        assert [(row["key"], str(row["id"])) for row in rows] == expected, key


async def test_a_list_goes_on_behind_any_key(things: asyncpg.Connection) -> None:
    for key, field in CUSTOM.items():
        sort = order_in_sql(TABLE.c.custom, key, field.kind)
        behind = sa.tuple_(sort, TABLE.c.id) > sa.tuple_(
            sa.bindparam("after", type_=sort.type), sa.bindparam("id", type_=sa.Uuid)
        )
        statement = Statement(sa.select(TABLE.c.id).where(behind).order_by(sort, TABLE.c.id))
        ordered = sorted((order_of(row["custom"], key, field.kind), row["id"]) for row in STORED)
        for at in (0, 40, 150, 250, ROWS - 1):
            after, id = ordered[at]
            rows = await things.fetch(
                statement.sql, *statement.arguments({"after": after, "id": id}, None)
            )
            assert [str(row["id"]) for row in rows] == [id for _, id in ordered[at + 1 :]], (
                key,
                at,
            )
