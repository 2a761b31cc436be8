"""What holds for any message at all, and from any thread."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import codec

TEXT = st.text(max_size=20)
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
KIND = FieldDescriptor
SCALARS = {
    KIND.TYPE_INT32: INT32, KIND.TYPE_SINT32: INT32, KIND.TYPE_SFIXED32: INT32,
    KIND.TYPE_INT64: INT64, KIND.TYPE_SINT64: INT64, KIND.TYPE_SFIXED64: INT64,
    KIND.TYPE_UINT32: UINT32, KIND.TYPE_FIXED32: UINT32,
    KIND.TYPE_UINT64: UINT64, KIND.TYPE_FIXED64: UINT64,
    KIND.TYPE_BOOL: st.booleans(), KIND.TYPE_STRING: TEXT, KIND.TYPE_BYTES: st.binary(max_size=20),
    # One NaN only: JSON has one, so its sign and payload do not survive.
    KIND.TYPE_FLOAT: st.floats(width=32, allow_nan=False) | st.just(float("nan")),
    KIND.TYPE_DOUBLE: st.floats(allow_nan=False) | st.just(float("nan")),
}  # fmt: skip
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SPAN = st.integers(-315_576_000_000, 315_576_000_000)
NANOS = st.sampled_from([0, 1, 1000, 120_000_000, 999_999_999]) | st.integers(0, 999_999_999)
WORD = st.from_regex(r"[a-z]{1,5}(_[a-z][a-z0-9]{0,3}){0,2}", fullmatch=True)


@st.composite
def duration_arguments(draw):
    seconds, nanos = draw(SPAN), draw(NANOS)
    return {"seconds": seconds, "nanos": -nanos if seconds < 0 else nanos}


ARGUMENTS = {
    "google.protobuf.Timestamp": st.fixed_dictionaries(
        {"seconds": st.integers(-62_135_596_800, 253_402_300_799), "nanos": NANOS}
    ),
    "google.protobuf.Duration": duration_arguments(),
    "google.protobuf.FieldMask": st.fixed_dictionaries({"paths": st.lists(WORD, max_size=3)}),
}
JSON_MESSAGES = {
    "google.protobuf.Struct": st.dictionaries(TEXT, JSON_VALUES, max_size=3),
    "google.protobuf.ListValue": st.lists(JSON_VALUES, max_size=3),
    "google.protobuf.Value": JSON_VALUES,
}


def values_of(field, depth):
    """Any value of one field: what its message's constructor takes."""
    if field.enum_type is not None:
        known = st.sampled_from([value.number for value in field.enum_type.values])
        is_null = field.enum_type.full_name == "google.protobuf.NullValue"
        return known if is_null else known | INT32
    if field.message_type is None:
        return SCALARS[field.type]
    message_class = message_factory.GetMessageClass(field.message_type)
    name = field.message_type.full_name
    if name in ARGUMENTS:
        return ARGUMENTS[name].map(lambda arguments: message_class(**arguments))
    if name in JSON_MESSAGES:
        return JSON_MESSAGES[name].map(lambda body: json_format.ParseDict(body, message_class()))
    if name == "google.protobuf.Any":
        return durations_packed()
    return messages(message_class, depth - 1)


@st.composite
def durations_packed(draw):
    packed = any_pb2.Any()
    packed.Pack(json_format.ParseDict(draw(st.sampled_from(["0s", "-1.5s"])), duration()))
    return packed


def duration():
    return message_factory.GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName("google.protobuf.Duration")
    )()


@st.composite
def messages(draw, message_class, depth=2):
    """Any message of a class, its oneofs with one member at most."""
    arguments = {}
    taken = set()
    for field in message_class.DESCRIPTOR.fields:
        group = field.containing_oneof.name if field.containing_oneof else field.name
        nests = field.message_type is not None and not field.message_type.file.name.startswith(
            "google/"
        )
        if group in taken or (nests and depth == 0) or draw(st.booleans()):
            continue
        taken.add(group)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name
            value = entry["value"].message_type
            if value is not None and depth == 0:
                continue
            keys = SCALARS[entry["key"].type]
            arguments[field.name] = draw(
                st.dictionaries(keys, values_of(entry["value"], depth), max_size=2)
            )
        elif field.is_repeated:
            arguments[field.name] = draw(st.lists(values_of(field, depth), max_size=2))
        else:
            arguments[field.name] = draw(values_of(field, depth))
    return message_class(**arguments)


def wire(message):
    return message.SerializeToString(deterministic=True)


NAMES = ["Scalars", "Optionals", "Lists", "Maps", "Choices", "WellKnown", "Node", "Person"]


@pytest.mark.large
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_message_survives_json_and_reads_as_json_format_does(pb, name, data):
    message = data.draw(messages(getattr(pb, name)))

    encoded = codec.to_json(message)

    expected = json_format.MessageToDict(message)
    assert json.loads(encoded) == json.loads(json.dumps(expected))
    assert wire(codec.from_json(encoded, type(message))) == wire(message)
    assert wire(codec.from_json(json.dumps(expected), type(message))) == wire(message)
    if not any("null" in field.name for field, _ in message.ListFields()):
        # (json_format cannot read back its own null in a list)
        assert wire(json_format.Parse(encoded, type(message)())) == wire(message)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_json_is_decoded_or_refused_with_violations(pb, data):
    names = [field.json_name for field in pb.Person.DESCRIPTOR.fields]
    body = data.draw(st.dictionaries(st.sampled_from(names) | TEXT, JSON_VALUES, max_size=4))

    try:
        decoded = codec.from_json(body, pb.Person)
    except codec.DecodeError as error:
        assert error.violations
    else:
        assert codec.from_json(codec.to_json(decoded), pb.Person) == decoded


@pytest.mark.large
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_merging_the_changed_paths_gives_the_new_message(pb, data):
    old, new = data.draw(messages(pb.Person)), data.draw(messages(pb.Person))
    for key in [key for key, value in new.custom.items() if value.HasField("null_value")]:
        del new.custom[key]  # a null Value asks merge to remove the key

    changed = codec.changed_paths(old, new)
    codec.merge(old, new, changed)

    assert wire(old) == wire(new)
    assert codec.changed_paths(old, new) == []
    assert changed == sorted(set(changed))
    assert all(codec.has_path(pb.Person.DESCRIPTOR, path) for path in changed)


PATHS = [
    "id", "display_name", "score", "phones", "phones.number", "phones.details.f_int64", "address",
    "address.city", "address.desk.number", "birth_date.year", "create_time", "custom", "labels",
    "by_floor", "by_floor.1", "answers.true", "extra", "anything", "email", "phone.details",
]  # fmt: skip


@pytest.mark.large
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_hiding_in_the_message_equals_hiding_in_its_json(pb, data):
    message = data.draw(messages(pb.Person))
    keys = [f"custom.{key}" for key in message.custom] + [f"labels.{key}" for key in message.labels]
    paths = data.draw(st.lists(st.sampled_from(PATHS + keys), max_size=4))
    json_dict = codec.to_dict(message)

    codec.hide(message, paths)
    codec.hide_dict(json_dict, pb.Person.DESCRIPTOR, paths)

    assert json_dict == codec.to_dict(message)


def test_many_threads_compile_the_same_types_at_once(pb):
    """Twenty callers meet types nobody has used; all must get whole codecs."""
    pool = descriptor_pool.DescriptorPool()
    for name in ("any", "duration", "field_mask", "struct", "timestamp", "wrappers"):
        copy_file(pool, f"google/protobuf/{name}.proto")
    copy_file(pool, "google/type/date.proto")
    copy_file(pool, "akrab_codec_test.proto")
    descriptor = pool.FindMessageTypeByName("akrab.codec_test.v1.Node")
    well_known = pool.FindMessageTypeByName("akrab.codec_test.v1.WellKnown")
    node_class, well_known_class = map(message_factory.GetMessageClass, (descriptor, well_known))
    body = {"name": "a", "children": [{"child": {"byName": {"x": {"name": "b"}}}}]}
    packed = {"any": {"@type": "x/akrab.codec_test.v1.Node", **body}, "value": [{"a": None}]}
    start = threading.Barrier(20)

    def call(_):
        start.wait(timeout=10)
        node = codec.from_json(body, node_class)
        whole = codec.from_json(packed, well_known_class)
        return codec.to_dict(node), codec.to_dict(whole), codec.mask_of(body, descriptor)

    with ThreadPoolExecutor(20) as threads:
        results = list(threads.map(call, range(20)))

    assert results == [(body, packed, ["name", "children"])] * 20
    assert descriptor is not pb.Node.DESCRIPTOR


def copy_file(pool, name):
    pool.AddSerializedFile(descriptor_pool.Default().FindFileByName(name).serialized_pb)
