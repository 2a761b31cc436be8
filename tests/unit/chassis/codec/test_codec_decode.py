"""Decoding equals json_format where both accept; limits of nesting; texts that are not JSON."""

import math

import orjson
import pytest
from google.protobuf import json_format, struct_pb2, timestamp_pb2

from chassis import codec

ACCEPTED = [
    ("Scalars", '{"fInt32": 1, "f_sint32": -2, "fUint32": 4294967295, "fFixed32": 7.0}'),
    ("Scalars", '{"fInt32": "12", "fInt64": "-9223372036854775808", "fUint64": "1e3"}'),
    ("Scalars", '{"fInt64": 9223372036854775807, "fUint64": 18446744073709551615}'),
    ("Scalars", '{"fInt32": 1e3, "fSint64": "5.0", "fSfixed64": -1, "fFixed64": "1"}'),
    ("Scalars", '{"fBool": true, "fString": "Łódź \\u0000 \\ud83d\\ude00", "otherName": "x"}'),
    ("Scalars", '{"renamed": "by its proto name"}'),
    ("Scalars", '{"fBytes": "+/8="}'),
    ("Scalars", '{"fBytes": "-_8"}'),
    ("Scalars", '{"fBytes": ""}'),
    ("Scalars", '{"fFloat": "NaN", "fDouble": "-Infinity"}'),
    ("Scalars", '{"fFloat": "Infinity", "fDouble": "1.5e3"}'),
    ("Scalars", '{"fFloat": 3.4028234663852886e38, "fDouble": 1}'),
    ("Scalars", '{"fDouble": -0.0, "fFloat": -0.0}'),
    ("Scalars", '{"fColor": "COLOR_BLUE", "fNull": null}'),
    ("Scalars", '{"fColor": "COLOR_CRIMSON", "fNull": "NULL_VALUE"}'),
    ("Scalars", '{"fColor": 2}'),
    ("Scalars", '{"fColor": "-1"}'),
    ("Scalars", '{"fColor": 77}'),
    ("Optionals", '{"fInt32": 0, "fInt64": "0", "fBool": false, "fString": "", "fBytes": ""}'),
    ("Optionals", '{"fDouble": 0, "fColor": 0, "fScalars": {}}'),
    ("Lists", '{"fInt32": [1, "2"], "fInt64": ["3", 4], "fBool": [], "fString": ["", "a"]}'),
    ("Lists", '{"fBytes": ["", "AA=="], "fFloat": ["NaN", 1], "fColor": ["COLOR_RED", 77]}'),
    ("Lists", '{"fScalars": [{}, {"fInt32": 1}], "fValue": [null, 1, "a", {}, [], true]}'),
    ("Lists", '{"fStruct": [{}, {"a": {"b": null}}], "fList": [[], [[1]]], "fWrapper": ["1", 2]}'),
    ("Lists", '{"fTimestamp": ["1970-01-01T00:00:00Z"]}'),
    ("Maps", '{"fInt32": {"-5": "a"}, "fUint32": {"4294967295": "b"}, "fBool": {"true": ""}}'),
    ("Maps", '{"fSint32": {"1": "a"}, "fSfixed32": {"1": "a"}, "fFixed32": {"1": "a"}}'),
    ("Maps", '{"fInt64": {"-9223372036854775808": "a"}, "fUint64": {"18446744073709551615": ""}}'),
    ("Maps", '{"fSint64": {"1": "a"}, "fSfixed64": {"1": "a"}, "fFixed64": {"1": "a"}}'),
    ("Maps", '{"fString": {"": "x", "a.b": "y"}, "toInt64": {"a": "1"}, "toBytes": {"a": "AA"}}'),
    ("Maps", '{"toDouble": {"a": "NaN"}, "toColor": {"a": "COLOR_RED"}, "toScalars": {"a": {}}}'),
    ("Maps", '{"toValue": {"a": null, "b": [1]}, "toWrapper": {"a": ""}, "toStruct": {"a": {}}}'),
    ("Maps", '{"toTimestamp": {"a": "2000-02-29T00:00:00Z"}, "fString": {}}'),
    ("Choices", '{"text": "", "beside": "x"}'),
    ("Choices", '{"text": null, "number": 0}'),
    ("Choices", '{"scalars": {}}'),
    ("Choices", '{"nothing": null}'),
    ("Choices", '{"anyJson": null}'),
    ("WellKnown", '{"timestamp": "2026-01-31T09:30:00.5+02:00"}'),
    ("WellKnown", '{"timestamp": "2026-01-31T23:30:00.123456789-11:30"}'),
    ("WellKnown", '{"timestamp": "0001-01-01T00:00:00Z", "duration": "-0.5s"}'),
    ("WellKnown", '{"timestamp": "9999-12-31T23:59:59.999999999Z", "duration": "1.000000001s"}'),
    ("WellKnown", '{"duration": "-315576000000.999999999s"}'),
    ("WellKnown", '{"duration": "0s", "mask": ""}'),
    ("WellKnown", '{"mask": "displayName,address.postalCode"}'),
    ("WellKnown", '{"struct": {}, "list": [], "value": null}'),
    ("WellKnown", '{"struct": {"a": [1, {"b": "c"}]}, "list": [null, [{}]], "value": {"x": []}}'),
    ("WellKnown", '{"bool": false, "bytes": "", "double": "NaN", "float": 0, "int32": 0}'),
    ("WellKnown", '{"int64": "1", "string": "", "uint32": "7", "uint64": "18446744073709551615"}'),
    ("WellKnown", '{"any": {}}'),
    ("WellKnown", '{"any": {"@type": "x/akrab.codec_test.v1.Scalars", "fInt64": "5"}}'),
    (
        "WellKnown",
        '{"any": {"@type": "x/google.protobuf.Timestamp", "value": "2000-01-01T00:00:00Z"}}',
    ),
    ("WellKnown", '{"any": {"value": {"a": 1}, "@type": "x/google.protobuf.Struct"}}'),
    ("WellKnown", '{"any": {"@type": "x/google.protobuf.Int64Value", "value": "5"}}'),
    ("Node", '{"child": {"child": {"children": [{}, {"name": "b"}]}}, "byName": {"a": {}}}'),
    ("Person", '{"birthDate": {"year": 1980, "month": 2}, "by_floor": {"3": {"kind": "x"}}}'),
]


@pytest.mark.parametrize(("name", "text"), ACCEPTED)
def test_decoding_equals_json_format(pb, name, text):
    message_class = getattr(pb, name)

    decoded = codec.from_json(text.encode(), message_class)

    expected = json_format.Parse(text, message_class())
    wanted = expected.SerializeToString(deterministic=True)
    assert decoded.SerializeToString(deterministic=True) == wanted
    assert codec.from_json(orjson.loads(text), message_class) == decoded or "NaN" in text


@pytest.mark.parametrize(
    "name", ["Scalars", "Optionals", "Lists", "Maps", "Choices", "WellKnown", "Person"]
)
def test_null_means_absent_for_every_kind_of_field(pb, name):
    message_class = getattr(pb, name)
    body = {field.json_name: None for field in message_class.DESCRIPTOR.fields}
    body.pop("nothing", None), body.pop("anyJson", None)  # null is a value of both

    decoded = codec.from_json(body, message_class)

    if name == "Lists":
        del body["fValue"], body["fNull"]  # json_format stumbles over null for these two lists
    assert decoded == json_format.ParseDict(body, message_class())
    present = {field.name for field, _ in decoded.ListFields()}
    assert present == {"WellKnown": {"value"}, "Person": {"anything"}}.get(name, set())


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (b'{"id": "a",\n "version": }', "line 2 column 13"),
        (b"", "line 1 column 1"),
        (b'{"id": NaN}', "line 1 column 8"),
        (b'{"id": "\xff"}', "line 1 column 1"),
        (b'{"id": "\\ud800"}', "line 1 column 9"),
    ],
)
def test_invalid_json_is_refused_with_its_position(pb, text, position):
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(text, pb.Person)

    (violation,) = caught.value.violations
    assert violation.field == ""
    assert violation.description.startswith(f"not valid JSON at {position}: ")


def nested(levels, leaf, wrap):
    for _ in range(levels):
        leaf = wrap(leaf)
    return leaf


NESTINGS = [
    ("child", 63, lambda inner: {"child": inner}, {}),
    ("children", 63, lambda inner: {"children": [inner]}, {}),
    ("byName", 31, lambda inner: {"byName": {"x": inner}}, {}),
]


@pytest.mark.parametrize(("field", "levels", "wrap", "leaf"), NESTINGS)
def test_nesting_is_accepted_up_to_64_messages_and_refused_beyond(pb, field, levels, wrap, leaf):
    deepest = codec.from_json(nested(levels, leaf, wrap), pb.Node)

    assert pb.Node.FromString(deepest.SerializeToString()) == deepest
    assert codec.from_json(codec.to_json(deepest), pb.Node) == deepest
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(nested(levels + 1, leaf, wrap), pb.Node)
    (violation,) = caught.value.violations
    assert violation.field.startswith(f"{field}")
    assert violation.description == "expected at most 64 levels of nesting, got an object"


@pytest.mark.parametrize(
    ("wrap", "levels"),  # on the wire an object is three messages, a list two
    [(lambda inner: {"a": inner}, 21), (lambda inner: [inner], 31)],
)
def test_nesting_inside_a_value_is_limited_before_protobuf_itself_fails(pb, wrap, levels):
    body = {"value": nested(levels, "x", wrap)}

    decoded = codec.from_json(body, pb.WellKnown)

    assert codec.to_dict(pb.WellKnown.FromString(decoded.SerializeToString())) == body
    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json({"value": wrap(body["value"])}, pb.WellKnown)
    assert "at most 64 levels" in caught.value.violations[0].description


def test_json_nested_without_end_is_refused(pb):
    with pytest.raises(codec.DecodeError):
        codec.from_json(b'{"child":' * 100_000, pb.Node)
    with pytest.raises(codec.DecodeError):
        codec.from_json(b'{"child":' * 900 + b"{}" + b"}" * 900, pb.Node)


def test_python_values_that_json_cannot_carry_are_refused(pb):
    body = {"fString": "\ud800", "fDouble": math.inf, "fInt64": 10**5000, "fFloat": 10**5000}

    with pytest.raises(codec.DecodeError) as caught:
        codec.from_json(body, pb.Scalars)

    assert [violation.field for violation in caught.value.violations] == list(body)


def test_top_level_well_known_types_are_decoded():
    decoded = codec.from_json(b'"1970-01-01T00:00:01Z"', timestamp_pb2.Timestamp)

    assert decoded.seconds == 1
    assert codec.from_json({"a": [1]}, struct_pb2.Struct)["a"][0] == 1
    assert codec.from_json(b"null", struct_pb2.Value).WhichOneof("kind") == "null_value"


def test_field_mask_may_be_in_snake_case(pb):
    decoded = codec.from_json({"mask": "display_name,address.postalCode"}, pb.WellKnown)

    assert list(decoded.mask.paths) == ["display_name", "address.postal_code"]


def test_null_in_a_map_means_that_the_key_is_absent(pb):
    decoded = codec.from_json({"labels": {"a": None, "b": "x"}, "custom": {"c": None}}, pb.Person)

    assert dict(decoded.labels) == {"b": "x"}
    assert decoded.custom["c"].WhichOneof("kind") == "null_value"
