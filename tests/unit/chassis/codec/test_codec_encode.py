"""Encoding equals json_format, message by message."""

import base64
import json
import math

import pytest
from google.protobuf import any_pb2, json_format, struct_pb2, text_format, timestamp_pb2

from chassis import codec

CASES = [
    ("Scalars", ""),
    ("Scalars", "f_int32: -2147483648 f_sint32: 2147483647 f_sfixed32: -1 f_uint32: 4294967295"),
    ("Scalars", "f_int64: -9223372036854775808 f_sint64: 9223372036854775807 f_sfixed64: -1"),
    ("Scalars", "f_uint64: 18446744073709551615 f_fixed64: 1 f_fixed32: 7"),
    ("Scalars", "f_bool: true f_string: 'Łódź \\000 \"quoted\" 😀' f_bytes: '\\000\\377\\376ab'"),
    ("Scalars", "f_float: nan f_double: inf"),
    ("Scalars", "f_float: -inf f_double: -0.0"),
    ("Scalars", "f_float: 0.1 f_double: 0.1"),
    ("Scalars", "f_float: 3.4028235e38 f_double: 1.7976931348623157e308"),
    ("Scalars", "f_float: 1e-45 f_double: 5e-324"),
    ("Scalars", "f_float: 16777217 f_double: 81"),
    ("Scalars", "f_color: COLOR_BLUE renamed: 'x'"),
    ("Scalars", "f_color: COLOR_CRIMSON"),
    ("Scalars", "f_color: COLOR_DARK"),
    ("Scalars", "f_color: 77"),
    ("Optionals", "f_int32: 0 f_int64: 0 f_bool: false f_string: '' f_bytes: '' f_double: 0"),
    ("Optionals", "f_color: COLOR_UNSPECIFIED f_scalars {}"),
    ("Lists", "f_int32: [0, 1] f_int64: [0, -1] f_bool: [false, true] f_string: ['', 'a']"),
    ("Lists", "f_bytes: ['', '\\377'] f_float: [0, nan, 0.1] f_double: [0, inf] f_color: [0, 77]"),
    ("Lists", "f_scalars {} f_scalars { f_int32: 1 } f_value { null_value: 0 } f_null: 0"),
    ("Lists", "f_timestamp {} f_wrapper {} f_struct {} f_list {}"),
    ("Maps", "f_int32 { key: -5 value: 'a' } f_int32 { key: 3 value: '' } f_uint32 { key: 9 }"),
    ("Maps", "f_sint32 { key: -1 } f_sfixed32 { key: -2 } f_fixed32 { key: 4294967295 }"),
    ("Maps", "f_int64 { key: -9223372036854775808 } f_sint64 { key: 1 } f_sfixed64 { key: 2 }"),
    ("Maps", "f_uint64 { key: 18446744073709551615 } f_fixed64 { key: 3 }"),
    ("Maps", "f_bool { key: true value: 'a' } f_bool { key: false } f_string { key: '' }"),
    (
        "Maps",
        "to_int64 { key: 'a' value: 1 } to_double { key: 'a' value: nan } to_bytes { key: 'b' }",
    ),
    ("Maps", "to_color { key: 'a' value: COLOR_RED } to_scalars { key: 'a' value { f_int32: 1 } }"),
    ("Maps", "to_value { key: 'a' value { null_value: 0 } } to_timestamp { key: 'a' }"),
    ("Maps", "to_wrapper { key: 'a' value {} } to_struct { key: 'a' value {} }"),
    ("Choices", "text: ''"),
    ("Choices", "number: 0 beside: 'x'"),
    ("Choices", "scalars {}"),
    ("Choices", "nothing: NULL_VALUE"),
    ("Choices", "any_json { null_value: 0 }"),
    ("WellKnown", "timestamp {} duration {} mask {} struct {} value {} list {} any {}"),
    ("WellKnown", "timestamp { seconds: -62135596800 } duration { seconds: 315576000000 }"),
    ("WellKnown", "timestamp { seconds: 253402300799 nanos: 999999999 }"),
    ("WellKnown", "timestamp { seconds: -1 nanos: 1 } duration { nanos: -1 }"),
    (
        "WellKnown",
        "timestamp { seconds: 951782400 nanos: 120000000 } duration { nanos: 120000000 }",
    ),
    ("WellKnown", "timestamp { nanos: 1000 } duration { seconds: -3 nanos: -120000 }"),
    ("WellKnown", "duration { seconds: -315576000000 nanos: -999999999 }"),
    ("WellKnown", "mask { paths: 'display_name' paths: 'address.postal_code' paths: 'a1.b_c2' }"),
    ("WellKnown", "bool {} bytes {} double {} float {} int32 {} int64 {} string {} uint64 {}"),
    ("WellKnown", "bool { value: true } bytes { value: '\\377' } double { value: nan }"),
    (
        "WellKnown",
        "float { value: 0.1 } int64 { value: -1 } string { value: 'a' } uint32 { value: 1 }",
    ),
    ("WellKnown", "value { number_value: -0.0 }"),
    ("WellKnown", "value { number_value: 9007199254740993 }"),
    ("WellKnown", "value { list_value { values { bool_value: false } values {} } }"),
    ("WellKnown", "any { [type.googleapis.com/akrab.codec_test.v1.Scalars] { f_int64: 5 } }"),
    ("WellKnown", "any { [type.googleapis.com/google.protobuf.Duration] { seconds: 5 } }"),
    ("WellKnown", "any { [type.googleapis.com/google.protobuf.Int64Value] { value: 5 } }"),
    (
        "WellKnown",
        "any { [type.googleapis.com/google.protobuf.Any] {"
        " [type.googleapis.com/google.protobuf.Value] { null_value: 0 } } }",
    ),
    ("Node", "name: 'a' child { child { children {} children { name: 'b' } } }"),
    ("Node", "by_name { key: 'x' value { by_name { key: 'y' value {} } } }"),
    ("Person", "birth_date { year: 1980 } weight: 81.5 by_floor { key: 3 value { kind: 'a' } }"),
    ("Legacy", "depth: 7 level: LEVEL_HIGH"),
]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_encoding_equals_json_format(pb, name, text):
    message = text_format.Parse(text, getattr(pb, name)())

    encoded = codec.to_dict(message)

    expected = json_format.MessageToDict(message)
    assert encoded == expected
    assert list(encoded) == list(expected)
    assert json.loads(codec.to_json(message)) == expected


def test_sign_of_zero_survives_in_a_value():
    message = struct_pb2.Value(number_value=-0.0)

    assert codec.to_json(message) == b"-0.0"
    assert math.copysign(1, codec.from_json(b"-0.0", struct_pb2.Value).number_value) == -1


def test_whole_numbers_in_a_value_are_written_without_a_fraction(pb):
    person = pb.Person(custom={"size": {"number_value": 43}, "ratio": {"number_value": 0.5}})

    assert codec.to_json(person) == b'{"custom":{"ratio":0.5,"size":43}}'


def test_map_keys_are_sorted_so_that_equal_messages_give_equal_bytes(pb):
    keys = [f"key{number}" for number in range(50)]

    forwards = pb.Person(labels=dict.fromkeys(keys, "x"))
    backwards = pb.Person(labels=dict.fromkeys(reversed(keys), "x"))

    assert codec.to_json(forwards) == codec.to_json(backwards)
    assert list(codec.to_dict(forwards)["labels"]) == sorted(keys)


def test_top_level_well_known_types_are_their_own_json():
    assert codec.to_dict(timestamp_pb2.Timestamp(seconds=1)) == "1970-01-01T00:00:01Z"
    assert codec.to_json(struct_pb2.Struct(fields={"a": struct_pb2.Value()})) == b'{"a":null}'


def test_extension_is_named_by_its_full_name(pb):
    message = pb.Legacy(level=1)
    message.Extensions[message.DESCRIPTOR.file.extensions_by_name["note"]].text = "hidden"

    expected = {"level": "LEVEL_LOW", "[akrab.codec_test.v1.note]": {"text": "hidden"}}
    assert codec.to_dict(message) == expected == json_format.MessageToDict(message)


def test_unknown_fields_are_left_out(pb):
    person = pb.Person.FromString(pb.Person(id="1").SerializeToString() + b"\xfa\x3f\x03new")

    assert codec.to_dict(person) == {"id": "1"}


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("timestamp { seconds: 253402300800 }", "timestamp: timestamp out of range"),
        ("timestamp { nanos: 1000000000 }", "timestamp: timestamp out of range"),
        ("duration { seconds: 1 nanos: -1 }", "duration: duration out of range"),
        ("duration { seconds: 315576000001 }", "duration: duration out of range"),
        ("mask { paths: 'someThing' }", "mask: path 'someThing' has no camelCase form"),
        ("mask { paths: 'a__b' }", "mask: path 'a__b' has no camelCase form"),
        ("value { number_value: nan }", "value: NaN and Infinity"),
        ("struct { fields { key: 'a' value { number_value: inf } } }", "struct: NaN and Infinity"),
        ("any { type_url: 'x/y.Z' value: 'a' }", "any: Any of unknown type x/y.Z"),
        (
            "any { type_url: 'x/google.protobuf.Duration' value: '\\377' }",
            "any: Any does not hold a google.protobuf.Duration",
        ),
    ],
)
def test_what_has_no_json_form_is_refused_as_json_format_refuses_it(pb, text, refusal):
    message = text_format.Parse(text, pb.WellKnown())

    with pytest.raises(codec.EncodeError, match=f"^{refusal}") as caught:
        codec.to_dict(message)

    assert caught.value.field == refusal.partition(":")[0]
    with pytest.raises(Exception):  # noqa: B017, PT011  json_format raises a different kind each time
        json_format.MessageToDict(message)


def test_encode_error_names_the_whole_path(pb):
    lists = pb.Maps(to_timestamp={"late": {"seconds": 2**60}})
    packed = any_pb2.Any()
    packed.Pack(lists)

    with pytest.raises(codec.EncodeError) as caught:
        codec.to_json(pb.WellKnown(any=packed))

    assert caught.value.field == "any.toTimestamp"


def test_bytes_are_standard_base64(pb):
    encoded = codec.to_dict(pb.Scalars(f_bytes=b"\xfb\xff"))

    assert encoded == {"fBytes": base64.b64encode(b"\xfb\xff").decode()} == {"fBytes": "+/8="}
