"""Update masks: derived from a body, applied, and read back from what changed."""

import pytest
from google.protobuf import json_format

from chassis import codec
from chassis.codec import Violation


@pytest.mark.parametrize(
    ("body", "mask"),
    [
        ({}, []),
        ({"displayName": "x", "version": 1}, ["display_name", "version"]),
        ({"display_name": None, "score": None}, ["display_name", "score"]),
        ({"displayName": "x", "display_name": "y"}, ["display_name"]),
        ({"phones": [{"number": "1"}], "tagIds": []}, ["phones", "tag_ids"]),
        (
            {"address": {"city": "x", "desk": {"number": "1"}}},
            ["address.city", "address.desk.number"],
        ),
        ({"address": None}, ["address"]),
        ({"address": {}}, ["address"]),
        ({"address": {"floor": None, "desk": None}}, ["address.floor", "address.desk"]),
        ({"birthDate": {"year": 1}, "createTime": "x"}, ["birth_date", "create_time"]),
        (
            {"custom": {"shoe_size": 43, "vip": None, "a.b": {"c": 1}}},
            ["custom.shoe_size", "custom.vip", "custom.a.b"],
        ),
        ({"custom": {}}, []),
        ({"custom": None}, ["custom"]),
        ({"byFloor": {"3": {"number": "1"}}}, ["by_floor.3"]),
        ({"extra": {"a": 1}, "anything": {"b": 2}}, ["extra", "anything"]),
        ({"phone": {"number": "1"}, "email": None}, ["phone.number", "email"]),
        ({"address": 5}, ["address"]),
    ],
)
def test_mask_of_a_body(pb, body, mask):
    assert codec.mask_of(body, pb.Person.DESCRIPTOR) == mask


def test_mask_of_unknown_names_refuses_all_of_them_with_suggestions(pb):
    body = {"displayNam": 1, "address": {"cty": 2}, "id": "x"}

    with pytest.raises(codec.DecodeError) as caught:
        codec.mask_of(body, pb.Person.DESCRIPTOR)

    assert caught.value.violations == [
        Violation("displayNam", 'unknown field "displayNam", did you mean "displayName"?'),
        Violation("address.cty", 'unknown field "cty", did you mean "city"?'),
    ]


def test_mask_of_a_body_nested_too_deep_is_refused(pb):
    body = {}
    for _ in range(5000):
        body = {"child": body}

    with pytest.raises(codec.DecodeError) as caught:
        codec.mask_of(body, pb.Node.DESCRIPTOR)

    assert "at most 64 levels" in caught.value.violations[0].description


def test_mask_of_something_else_than_an_object_is_refused(pb):
    with pytest.raises(codec.DecodeError) as caught:
        codec.mask_of([], pb.Person.DESCRIPTOR)

    assert caught.value.violations == [Violation("", "expected an object, got a list")]


def person(pb, **body):
    return json_format.ParseDict(body, pb.Person())


MERGES = [
    (
        "scalar",
        {"displayName": "a", "id": "1"},
        {"displayName": "b", "id": "2"},
        ["display_name"],
        {"displayName": "b", "id": "1"},
    ),
    ("scalar at its default", {"displayName": "a"}, {}, ["display_name"], {}),
    ("optional set to zero", {}, {"score": 0}, ["score"], {"score": 0}),
    ("optional cleared", {"score": 5}, {}, ["score"], {}),
    (
        "list replaced whole",
        {"tagIds": ["a", "b"]},
        {"tagIds": ["c"]},
        ["tag_ids"],
        {"tagIds": ["c"]},
    ),
    ("list emptied", {"phones": [{"number": "1"}]}, {}, ["phones"], {}),
    (
        "message list replaced",
        {"phones": [{"number": "1"}]},
        {"phones": [{"kind": "x"}, {}]},
        ["phones"],
        {"phones": [{"kind": "x"}, {}]},
    ),
    (
        "message replaced, not merged",
        {"address": {"city": "a", "street": "s"}},
        {"address": {"city": "b"}},
        ["address"],
        {"address": {"city": "b"}},
    ),
    ("message cleared", {"address": {"city": "a"}}, {}, ["address"], {}),
    (
        "message set empty",
        {"address": {"city": "a"}},
        {"address": {}},
        ["address"],
        {"address": {}},
    ),
    (
        "nested field",
        {"address": {"city": "a", "street": "s"}},
        {"address": {"city": "b"}},
        ["address.city"],
        {"address": {"city": "b", "street": "s"}},
    ),
    (
        "nested field into nothing",
        {},
        {"address": {"desk": {"number": "1", "kind": "k"}}},
        ["address.desk.number"],
        {"address": {"desk": {"number": "1"}}},
    ),
    (
        "nested field cleared",
        {"address": {"city": "a", "floor": 1}},
        {},
        ["address.floor"],
        {"address": {"city": "a"}},
    ),
    ("nested clearing creates nothing", {}, {}, ["address.desk.number"], {}),
    (
        "map key set",
        {"custom": {"a": 1, "b": 2}},
        {"custom": {"a": 5, "c": 6}},
        ["custom.a"],
        {"custom": {"a": 5, "b": 2}},
    ),
    (
        "map key removed when absent",
        {"custom": {"a": 1, "b": 2}},
        {},
        ["custom.a"],
        {"custom": {"b": 2}},
    ),
    (
        "map key removed when null",
        {"custom": {"a": 1, "b": 2}},
        {"custom": {"a": None}},
        ["custom.a"],
        {"custom": {"b": 2}},
    ),
    ("absent map key removed", {}, {"custom": {"a": None}}, ["custom.a", "custom.b"], {}),
    (
        "map key with dots",
        {"custom": {"a.b": 1}},
        {"custom": {"a.b": 2}},
        ["custom.a.b"],
        {"custom": {"a.b": 2}},
    ),
    (
        "text map key",
        {"labels": {"a": "1"}},
        {"labels": {"b": "2"}},
        ["labels.a", "labels.b"],
        {"labels": {"b": "2"}},
    ),
    (
        "number map key",
        {"byFloor": {"3": {"kind": "k"}}},
        {"byFloor": {"3": {"number": "1"}}},
        ["by_floor.3"],
        {"byFloor": {"3": {"number": "1"}}},
    ),
    (
        "bool map key",
        {"answers": {"true": "a"}},
        {"answers": {"false": "b"}},
        ["answers.true", "answers.false"],
        {"answers": {"false": "b"}},
    ),
    (
        "map replaced whole",
        {"labels": {"a": "1"}},
        {"labels": {"b": "2"}},
        ["labels"],
        {"labels": {"b": "2"}},
    ),
    (
        "oneof switched",
        {"email": "a"},
        {"phone": {"number": "1"}},
        ["phone.number", "email"],
        {"phone": {"number": "1"}},
    ),
    ("value set to null", {"anything": 5}, {"anything": None}, ["anything"], {"anything": None}),
    (
        "well-known types",
        {"extra": {"a": 1}},
        {"extra": {"b": 2}, "createTime": "2000-01-01T00:00:00Z"},
        ["extra", "create_time"],
        {"extra": {"b": 2}, "createTime": "2000-01-01T00:00:00Z"},
    ),
    (
        "path given twice and covered",
        {"address": {"city": "a"}},
        {"address": {"city": "b"}},
        ["address", "address.city", "address"],
        {"address": {"city": "b"}},
    ),
]


@pytest.mark.parametrize(
    ("target", "source", "paths", "merged"),
    [case[1:] for case in MERGES],
    ids=[case[0] for case in MERGES],
)
def test_merge(pb, target, source, paths, merged):
    target, source = person(pb, **target), person(pb, **source)
    source_before = source.SerializeToString(deterministic=True)

    codec.merge(target, source, paths)

    assert target == person(pb, **merged)
    assert source.SerializeToString(deterministic=True) == source_before


def test_merge_into_itself_changes_nothing(pb):
    target = person(pb, displayName="a", tagIds=["x"], custom={"a": None})

    codec.merge(target, target, ["display_name", "tag_ids", "custom.a"])

    assert target == person(pb, displayName="a", tagIds=["x"], custom={"a": None})


def test_merge_keeps_fields_this_program_does_not_know(pb):
    target = pb.Person.FromString(pb.Person(id="1").SerializeToString() + b"\xfa\x3f\x03new")

    codec.merge(target, person(pb, displayName="b"), ["display_name"])

    assert target.SerializeToString().endswith(b"\xfa\x3f\x03new")


@pytest.mark.parametrize(
    ("path", "description"),
    [
        ("displayName", 'unknown field "displayName", did you mean "display_name"?'),
        ("address.town", 'unknown field "town"'),
        ("create_time.seconds", 'unknown field "seconds"'),
        ("", 'unknown field ""'),
        ("address.", 'unknown field ""'),
        ("by_floor.x", "expected a key that is an integer from -2147483648 to 2147483647"),
        ("phones.number", "a list is replaced whole, its elements have no path"),
    ],
)
def test_merge_refuses_an_unknown_path_and_changes_nothing(pb, path, description):
    target, source = person(pb, displayName="a"), person(pb, displayName="b")

    with pytest.raises(codec.DecodeError) as caught:
        codec.merge(target, source, ["display_name", path])

    assert caught.value.violations == [Violation(path, description)]
    assert target == person(pb, displayName="a")


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({}, {}, []),
        ({"displayName": "a", "id": "1"}, {"displayName": "b", "id": "1"}, ["display_name"]),
        ({"score": 0}, {}, ["score"]),
        ({"version": 1, "birthDate": {"year": 1}}, {"birthDate": {}}, ["birth_date", "version"]),
        ({"address": {"city": "a"}}, {"address": {"city": "b"}}, ["address"]),
        ({"address": {}}, {}, ["address"]),
        ({"phones": [{"number": "1"}]}, {"phones": [{"number": "1"}, {}]}, ["phones"]),
        ({"tagIds": ["a", "b"]}, {"tagIds": ["b", "a"]}, ["tag_ids"]),
        (
            {"custom": {"a": 1, "b": 2, "c": [1]}},
            {"custom": {"b": 3, "c": [1], "d": None}},
            ["custom.a", "custom.b", "custom.d"],
        ),
        ({"byFloor": {"3": {}}, "answers": {"true": "a"}}, {}, ["answers.true", "by_floor.3"]),
        ({"weight": "NaN"}, {"weight": "NaN"}, []),
        ({"weight": "NaN"}, {"weight": 1}, ["weight"]),
        ({"email": "a"}, {"phone": {}}, ["email", "phone"]),
    ],
)
def test_changed_paths(pb, old, new, changed):
    assert codec.changed_paths(person(pb, **old), person(pb, **new)) == changed


def test_body_applied_through_its_own_mask_changes_what_it_says(pb):
    stored = person(pb, displayName="a", tagIds=["x"], custom={"vip": True, "size": 43}, score=1)
    body = {
        "displayName": "b",
        "score": None,
        "custom": {"vip": None, "code": "z"},
        "labels": {"k": None},
    }

    patch = codec.from_json(body, pb.Person)
    changed = pb.Person()
    changed.CopyFrom(stored)
    codec.merge(changed, patch, codec.mask_of(body, pb.Person.DESCRIPTOR))

    assert changed == person(pb, displayName="b", tagIds=["x"], custom={"size": 43, "code": "z"})
    expected = ["custom.code", "custom.vip", "display_name", "score"]
    assert codec.changed_paths(stored, changed) == expected
