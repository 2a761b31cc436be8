"""What decoding refuses: every violation, each with its field, the value and what is expected."""

import pytest
from google.protobuf import json_format

from chassis import codec
from chassis.codec import Violation

INT32 = "an integer from -2147483648 to 2147483647"
COLOR = "one of COLOR_UNSPECIFIED, COLOR_RED, COLOR_CRIMSON, COLOR_BLUE, COLOR_DARK"
DOUBLE = 'a number within the range of a double, "NaN", "Infinity" or "-Infinity"'
TIME = "an RFC 3339 time such as 2026-01-31T09:30:00Z"
DURATION = 'seconds such as "1.5s", at most 315576000000'


REFUSED = [
    ("Scalars", '{"fInt32": 2147483648}', "fInt32", f"{INT32}, got 2147483648"),
    ("Scalars", '{"fInt32": 1.5}', "fInt32", f"{INT32}, got 1.5"),
    ("Scalars", '{"fInt32": "1 "}', "fInt32", f'{INT32}, got "1 "'),
    ("Scalars", '{"fInt32": true}', "fInt32", f"{INT32}, got true"),
    ("Scalars", '{"fInt32": []}', "fInt32", f"{INT32}, got a list"),
    ("Scalars", '{"fUint32": -1}', "fUint32", "an integer from 0 to 4294967295, got -1"),
    (
        "Scalars",
        '{"fInt64": "9223372036854775808"}',
        "fInt64",
        'an integer from -9223372036854775808 to 9223372036854775807, got "9223372036854775808"',
    ),
    (
        "Scalars",
        '{"fUint64": 18446744073709551616}',
        "fUint64",
        "an integer from 0 to 18446744073709551615, got 1.8446744073709552e+19",
    ),
    ("Scalars", '{"fBool": "true"}', "fBool", 'true or false, got "true"'),
    ("Scalars", '{"fBool": 1}', "fBool", "true or false, got 1"),
    ("Scalars", '{"fString": 5}', "fString", "a text, got 5"),
    ("Scalars", '{"fString": {}}', "fString", "a text, got an object"),
    ("Scalars", '{"fBytes": 5}', "fBytes", "base64 or base64url text, got 5"),
    (
        "Scalars",
        '{"fFloat": 1e39}',
        "fFloat",
        "a number within the range of a 32-bit float, got 1e+39",
    ),
    ("Scalars", '{"fDouble": "nan"}', "fDouble", f'{DOUBLE}, got "nan"'),
    ("Scalars", '{"fColor": "COLOR_GREEN"}', "fColor", f'{COLOR}, got "COLOR_GREEN"'),
    ("Scalars", "null", "", "an object, got null"),
    ("Optionals", '{"fScalars": 1}', "fScalars", "an object, got 1"),
    ("Optionals", '{"fScalars": {"fBool": 0}}', "fScalars.fBool", "true or false, got 0"),
    ("Lists", '{"fInt32": 1}', "fInt32", "a list, got 1"),
    ("Lists", '{"fInt32": [1, null]}', "fInt32[1]", f"{INT32}, got null"),
    ("Lists", '{"fScalars": [{}, null]}', "fScalars[1]", "an object, got null"),
    ("Lists", '{"fScalars": [{"fBool": 0}]}', "fScalars[0].fBool", "true or false, got 0"),
    ("Lists", '{"fList": [1]}', "fList[0]", "a list, got 1"),
    ("Lists", '{"fStruct": [[]]}', "fStruct[0]", "an object, got a list"),
    ("Maps", '{"fInt32": []}', "fInt32", "an object, got a list"),
    ("Maps", '{"fInt32": {"x": "a"}}', "fInt32.x", f'a key that is {INT32}, got "x"'),
    (
        "Maps",
        '{"fBool": {"True": "a"}}',
        "fBool.True",
        'a key that is "true" or "false", got "True"',
    ),
    ("Maps", '{"toColor": {"a": "RED"}}', "toColor.a", f'{COLOR}, got "RED"'),
    ("Maps", '{"toScalars": {"a": {"fBool": 0}}}', "toScalars.a.fBool", "true or false, got 0"),
    ("WellKnown", '{"timestamp": 5}', "timestamp", f"{TIME}, got 5"),
    ("WellKnown", '{"timestamp": "2026-01-31"}', "timestamp", f'{TIME}, got "2026-01-31"'),
    (
        "WellKnown",
        '{"timestamp": "2026-01-31T09:30:00"}',
        "timestamp",
        f'{TIME}, got "2026-01-31T09:30:00"',
    ),
    (
        "WellKnown",
        '{"timestamp": "2026-01-31t09:30:00Z"}',
        "timestamp",
        f'{TIME}, got "2026-01-31t09:30:00Z"',
    ),
    (
        "WellKnown",
        '{"timestamp": "2026-02-30T09:30:00Z"}',
        "timestamp",
        'a time that exists in the calendar, got "2026-02-30T09:30:00Z"',
    ),
    (
        "WellKnown",
        '{"timestamp": "0001-01-01T00:00:00+01:00"}',
        "timestamp",
        'a time within the years 0001 to 9999 UTC, got "0001-01-01T00:00:00+01:00"',
    ),
    ("WellKnown", '{"duration": "5"}', "duration", f'{DURATION}, got "5"'),
    ("WellKnown", '{"duration": "315576000001s"}', "duration", f'{DURATION}, got "315576000001s"'),
    (
        "WellKnown",
        '{"mask": ["a"]}',
        "mask",
        'paths joined by commas such as "displayName,owner.id", got a list',
    ),
    ("WellKnown", '{"int32": "x"}', "int32", f'{INT32}, got "x"'),
    ("WellKnown", '{"any": []}', "any", "an object, got a list"),
    ("WellKnown", '{"any": {"fInt32": 1}}', "any.@type", "a known message type, got null"),
    ("WellKnown", '{"any": {"@type": "x/No"}}', "any.@type", 'a known message type, got "x/No"'),
    (
        "WellKnown",
        '{"any": {"@type": "x/google.protobuf.Duration"}}',
        "any",
        'an object of "@type" and "value", got an object',
    ),
    (
        "WellKnown",
        '{"any": {"@type": "x/akrab.codec_test.v1.Scalars", "fBool": 1}}',
        "any.fBool",
        "true or false, got 1",
    ),
]


@pytest.mark.parametrize(("name", "text", "field", "expected"), REFUSED)
def test_wrong_value_is_refused_with_field_value_and_expectation(pb, name, text, field, expected):
    message_class = getattr(pb, name)

    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(text, message_class)

    assert caught.value.violations == [Violation(field, f"expected {expected}")]
    with pytest.raises(json_format.ParseError):
        json_format.Parse(text, message_class())


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("[]", "an object, got a list"),
        ('{"fColor": 1.5}', f"{COLOR}, got 1.5"),
        ('{"fInt32": "1_000"}', f'{INT32}, got "1_000"'),
        ('{"fDouble": true}', f"{DOUBLE}, got true"),
        ('{"fBytes": "a*b="}', 'base64 or base64url text, got "a*b="'),
        ('{"fBytes": "AAAAA"}', 'base64 or base64url text, got "AAAAA"'),
        ('{"fBytes": "ą"}', 'base64 or base64url text, got "ą"'),
    ],
)
def test_sloppy_values_that_json_format_lets_through_are_refused(pb, text, description):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(text, pb.Scalars)

    assert [v.description for v in caught.value.violations] == [f"expected {description}"]


def test_all_violations_are_collected_in_the_order_of_the_body(pb):
    body = {
        "displayNme": "x",
        "version": "many",
        "phones": [{"number": "1"}, {"number": 2}, {"kind": "x", "details": {"fBool": "no"}}],
        "address": {"floor": 1e10},
        "custom": {"ok": 1},
        "byFloor": {"one": {}, "2": {"number": []}},
    }

    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(body, pb.Person)

    assert [violation.field for violation in caught.value.violations] == [
        "displayNme",
        "version",
        "phones[1].number",
        "phones[2].details.fBool",
        "address.floor",
        "byFloor.one",
        "byFloor.2.number",
    ]
    suggestion = 'unknown field "displayNme", did you mean "displayName"?'
    assert caught.value.violations[0].description == suggestion
    assert "many" not in str(caught.value)


def test_unknown_field_without_a_close_name_is_only_named(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"address": {"xyzzy": 1}}, pb.Person)

    expected = [Violation("address.xyzzy", 'unknown field "xyzzy"')]
    assert caught.value.violations == expected


def test_ten_thousand_unknown_fields_are_all_refused_and_few_get_a_suggestion(pb):
    body = {f"display_nam{number}": 1 for number in range(10_000)}

    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(body, pb.Person)

    suggested = [v for v in caught.value.violations if "did you mean" in v.description]
    assert (len(caught.value.violations), len(suggested)) == (10_000, 20)


def test_second_field_of_a_oneof_is_refused(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"text": "a", "beside": "b", "number": 1}, pb.Choices)

    expected = [Violation("number", "excludes text: one of choice at most")]
    assert caught.value.violations == expected


def test_field_given_under_both_names_is_refused(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"displayName": "a", "display_name": "b"}, pb.Person)

    expected = [Violation("displayName", "given twice, in camelCase and in snake_case")]
    assert caught.value.violations == expected


def test_map_key_given_in_two_spellings_is_refused(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"fInt32": {"1": "a", "1.0": "b"}}, pb.Maps)

    expected = [Violation("fInt32.1.0", "given twice, in two spellings of the same key")]
    assert caught.value.violations == expected


def test_long_value_is_shortened_to_sixty_characters(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"fBool": "ż" * 1000}, pb.Scalars)

    shown = caught.value.violations[0].description.removeprefix("expected true or false, got ")
    assert shown == '"' + "ż" * 58 + "…"
    assert len(shown) == 60


def test_closed_enum_refuses_unknown_numbers(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"level": 3}, pb.Legacy)

    expected = [Violation("level", "expected one of LEVEL_LOW, LEVEL_HIGH, got 3")]
    assert caught.value.violations == expected
    assert codec.from_json({"level": 2}, pb.Legacy).level == 2


def test_endless_names_are_shortened_in_the_answer(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"n" * 100_000: 1, "answers": {"k" * 100_000: "x"}}, pb.Person)

    for violation in caught.value.violations:
        assert len(violation.field) == 200
        assert len(violation.description) < 200
