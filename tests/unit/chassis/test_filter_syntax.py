"""The filter language: what it reads, what it refuses and how it says so."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.kit.filter_syntax import (
    MAX_COMPARISONS,
    MAX_DEPTH,
    MAX_LENGTH,
    And,
    Comparison,
    FilterError,
    Literal,
    Node,
    Not,
    Or,
    conjunction,
    disjunction,
    fields_named,
    parse,
    to_text,
)


def equal(name: str, value: str) -> Comparison:
    return Comparison(name, "=", Literal(value))


A, B, C = equal("a", "1"), equal("b", "2"), equal("c", "3")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", And(())),
        (" \n ", And(())),
        ("a=1", A),
        (" a  =\t1 ", A),
        ("(((a = 1)))", A),
        ("a = 1 AND b = 2", And((A, B))),
        ("a = 1 b = 2", And((A, B))),
        ("a = 1 b = 2 AND c = 3", And((A, B, C))),
        ("a = 1 AND (b = 2 AND c = 3)", And((A, B, C))),
        ("a = 1 OR b = 2 OR (c = 3 OR a = 1)", Or((A, B, C, A))),
        ("a = 1 AND b = 2 OR c = 3", And((A, Or((B, C))))),  # AIP-160: OR binds tighter
        ("(a = 1 AND b = 2) OR c = 3", Or((And((A, B)), C))),
        ("NOT a = 1 b = 2", And((Not(A), B))),
        ("-a = 1", Not(A)),
        ("-(a = 1 OR b = 2)", Not(Or((A, B)))),
        ("NOT(a = 1)AND(b = 2)", And((Not(A), B))),
        ("NOT (NOT a = 1)", Not(Not(A))),
    ],
)
def test_structure(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">=", ":"])
def test_comparators(op: str) -> None:
    assert parse(f"a{op}1") == Comparison("a", op, Literal("1"))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"x y"', Literal("x y", quoted=True)),
        ("'x \"y\"'", Literal('x "y"', quoted=True)),
        (r'"a \"b\" \\ \*"', Literal('a "b" \\ *', quoted=True)),
        ('""', Literal("", quoted=True)),
        ('"null"', Literal("null", quoted=True)),
        ("null", Literal("null")),
        ("-12.5", Literal("-12.5")),
        ("true", Literal("true")),
        ("2026-01-31T08:00:00+01:00", Literal("2026-01-31T08:00:00+01:00")),
        ("Łukasz", Literal("Łukasz")),
        ("ANDY", Literal("ANDY")),
        ('"Wisn*"', Literal("Wisn", quoted=True, prefix=True)),
        ("Wisn*", Literal("Wisn", prefix=True)),
        (r'"a\\*"', Literal("a\\", quoted=True, prefix=True)),
        ("*", Literal("", prefix=True)),
    ],
)
def test_values(written: str, value: Literal) -> None:
    assert parse(f"a = {written}") == Comparison("a", "=", value)
    assert parse(f"(a={written})") == Comparison("a", "=", value)


def test_null_and_any_are_told_from_text() -> None:
    assert parse("a = null").value.is_null  # type: ignore[union-attr]
    assert not parse('a = "null"').value.is_null  # type: ignore[union-attr]
    assert parse("a:*").value.is_any  # type: ignore[union-attr]
    assert not parse("a = b*").value.is_any  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("create_time", "create_time"),
        ("createTime", "create_time"),
        ("address.postalCode", "address.postal_code"),
        ("custom.shoeSize-2", "custom.shoeSize-2"),
        ("STATE", "STATE"),
    ],
)
def test_paths_are_those_of_the_proto(path: str, name: str) -> None:
    assert parse(f"{path} = 1") == equal(name, "1")


def test_fields_named_sees_every_comparison() -> None:
    node = parse('a = 1 AND NOT (createTime > 2 OR custom.x:"y") -b:*')
    assert fields_named(node) == {"a", "create_time", "custom.x", "b"}


@pytest.mark.parametrize(
    ("text", "position", "near", "message"),
    [
        ("a = 1 AND", 9, "", "expected a comparison (field = value); to search for words use q"),
        ("AND a = 1", 0, "AND", "expected a comparison (field = value) instead of AND"),
        ("NOT NOT a = 1", 4, "NOT", "expected a comparison (field = value) instead of NOT"),
        ("a = 1 and b = 2", 6, "and", "expected a comparison; write AND in capitals"),
        ("wisniewski", 0, "wisniewski",
         "expected one of = != < <= > >= : after wisniewski; to search for words use q"),
        ('a = 1 "anna nowak"', 6, '"anna nowak"',
         "expected a comparison (field = value); to search for words use q"),
        ("a == 1", 3, "=", "expected a value after ="),
        ("a ~ 1", 0, "a", "expected one of = != < <= > >= : after a; to search for words use q"),
        ("a =", 3, "", "expected a value after ="),
        ("a = AND b = 2", 4, "AND", "expected a value after ="),
        ("a = )", 4, ")", "expected a value after ="),
        ('a = "x', 4, '"x', 'expected a closing "'),
        ("(a = 1", 6, "", 'expected ")" for the "(" at character 1'),
        ("a = 1)", 5, ")", 'expected AND, OR or the end; this ")" closes nothing'),
        ("()", 1, ")", "expected a comparison (field = value); to search for words use q"),
        ("a > now()", 4, "now", "functions are not supported: now()"),
        ("startsWith(a, 1)", 0, "startsWith", "functions are not supported: startsWith()"),
        ('a = "x*y"', 4, '"x*y"',
         "a * may stand at the end of a value only; write \\* for a star"),
        ("a = 'x\x00'", 6, "U+0000", "expected text that can be stored"),
        ("a = \ud800", 4, "U+D800", "expected text that can be stored"),
    ],
)  # fmt: skip
def test_refusals_say_where_and_what(text: str, position: int, near: str, message: str) -> None:
    with pytest.raises(FilterError) as refusal:
        parse(text)
    error = refusal.value
    assert (error.position, error.text, error.message) == (position, near, message)
    assert f"character {position + 1}" in str(error)
    assert message in str(error)


def test_limits_hold_exactly() -> None:
    longest = f'a = "{"x" * (MAX_LENGTH - 6)}"'
    assert parse(longest) == Comparison("a", "=", Literal("x" * (MAX_LENGTH - 6), quoted=True))
    with pytest.raises(FilterError, match="at most 1000 characters, this one has 1001"):
        parse(longest + " ")

    most = " ".join(["a=1"] * MAX_COMPARISONS)
    assert parse(most) == And((A,) * MAX_COMPARISONS)
    with pytest.raises(FilterError, match="at most 30 comparisons"):
        parse(most + " a=1")

    assert parse("(" * MAX_DEPTH + "a=1" + ")" * MAX_DEPTH) == A
    with pytest.raises(FilterError, match="nested 10 deep"):
        parse("(" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1))


NAMES = st.sampled_from(["a", "create_time", "address.city", "custom.shoeSize", "custom.x-1"])
WORDS = st.text(string.ascii_letters + string.digits + "_.-+@/Łé", min_size=1).filter(
    lambda word: (
        word not in ("AND", "OR", "NOT")
        and not word.startswith(("AND.", "OR.", "NOT."))
        and parses(f"a={word}")
    )
)
LITERALS = st.builds(
    Literal,
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8),
    st.just(True),
    st.booleans(),
) | st.builds(Literal, WORDS, st.just(False), st.booleans())
OPS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", ":"])
NODES = st.recursive(
    st.builds(Comparison, NAMES, OPS, LITERALS),
    lambda nodes: (
        st.builds(Not, nodes)
        | st.lists(nodes, min_size=2, max_size=4).map(conjunction)
        | st.lists(nodes, min_size=2, max_size=4).map(disjunction)
    ),
    max_leaves=12,
)


def parses(text: str) -> bool:
    try:
        parse(text)
    except FilterError:
        return False
    return True


@pytest.mark.large
@given(NODES)
def test_a_printed_filter_reads_back_as_the_same_tree(node: Node) -> None:
    text = to_text(node)
    assume(len(text) <= MAX_LENGTH)
    assert parse(text) == node


TOKENS = st.sampled_from(
    ["a", "custom.x", "createTime", "AND", "OR", "NOT", "-", "(", ")", "=", "!=", "<", ">=", ":",
     '"x"', "'y*'", '"', "'", "\\", "*", "1.5", "null", " ", "  ", ",", "é", "f("]
)  # fmt: skip
FILTERS = st.lists(TOKENS, max_size=25).map("".join) | st.text(st.characters(), max_size=60)


@given(FILTERS)
def test_any_text_is_read_or_refused_with_a_place_in_it(text: str) -> None:
    try:
        node = parse(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert error.message
    else:
        printed = to_text(node)
        assert parse(printed) == node
