"""Paths: which exist, their JSON names, and parts of messages chosen by them."""

import pytest
from google.protobuf import json_format

from chassis import codec

FULL = {
    "id": "1",
    "displayName": "Łucja",
    "score": 0,
    "phones": [{"number": "1", "kind": "a"}, {"kind": "b"}],
    "tagIds": ["x", "y"],
    "address": {"city": "Kraków", "floor": 0, "desk": {"number": "7", "kind": "c"}},
    "birthDate": {"year": 1980, "month": 2},
    "createTime": "2000-01-01T00:00:00Z",
    "custom": {"size": 43, "code": None, "a.b": "c"},
    "labels": {"k": "v"},
    "byFloor": {"3": {"kind": "d"}},
    "answers": {"true": "yes"},
    "anything": None,
    "phone": {"number": "9"},
}


@pytest.fixture
def full(pb):
    return json_format.ParseDict(FULL, pb.Person())


@pytest.mark.parametrize(
    ("path", "json_form"),
    [
        ("display_name", "displayName"),
        ("address.desk.kind", "address.desk.kind"),
        ("phones.details.f_int32", "phones.details.fInt32"),
        ("birth_date.year", "birthDate.year"),
        ("create_time", "createTime"),
        ("custom", "custom"),
        ("custom.shoe_size", "custom.shoe_size"),
        ("custom.a.b", "custom.a.b"),
        ("custom.", "custom."),
        ("by_floor.-3", "byFloor.-3"),
        ("answers.true", "answers.true"),
    ],
)
def test_known_path_has_a_json_form(pb, path, json_form):
    assert codec.has_path(pb.Person.DESCRIPTOR, path)
    assert codec.json_path(pb.Person.DESCRIPTOR, path) == json_form


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "displayName",
        "display_name.x",
        "address.town",
        "address.",
        ".address",
        "*",
        "create_time.seconds",
        "anything.string_value",
        "extra.a",
        "by_floor.x",
        "answers.1",
        "by_floor.2147483648",
    ],
)
def test_unknown_path_is_known_nowhere(pb, full, path):
    before = full.SerializeToString(deterministic=True)

    assert not codec.has_path(pb.Person.DESCRIPTOR, path)
    for refuse in (
        lambda: codec.json_path(pb.Person.DESCRIPTOR, path),
        lambda: codec.project(full, ["id", path]),
        lambda: codec.hide(full, ["id", path]),
        lambda: codec.hide_dict(dict(FULL), pb.Person.DESCRIPTOR, ["id", path]),
    ):
        with pytest.raises(codec.DecodeError) as caught:
            refuse()
        assert [violation.field for violation in caught.value.violations] == [path]
    assert full.SerializeToString(deterministic=True) == before


PROJECTIONS = [
    ([], {}),
    (["id", "score", "weight"], {"id": "1", "score": 0}),
    (["phones.number"], {"phones": [{"number": "1"}, {}]}),
    (["phones.number", "phones.kind"], {"phones": FULL["phones"]}),
    (["phones.number", "phones"], {"phones": FULL["phones"]}),
    (["tag_ids"], {"tagIds": ["x", "y"]}),
    (["address.floor", "address.street"], {"address": {"floor": 0}}),
    (["address.street"], {"address": {}}),
    (["address.desk.number"], {"address": {"desk": {"number": "7"}}}),
    (["extra", "email"], {}),
    (
        ["birth_date.month", "create_time"],
        {"birthDate": {"month": 2}, "createTime": "2000-01-01T00:00:00Z"},
    ),
    (["custom.size", "custom.none"], {"custom": {"size": 43}}),
    (["custom.a.b", "custom.code"], {"custom": {"a.b": "c", "code": None}}),
    (["custom", "custom.size"], {"custom": FULL["custom"]}),
    (
        ["labels.k", "by_floor.3", "answers.true"],
        {"labels": {"k": "v"}, "byFloor": {"3": {"kind": "d"}}, "answers": {"true": "yes"}},
    ),
    (["anything", "phone.number"], {"anything": None, "phone": {"number": "9"}}),
]


@pytest.mark.parametrize(("paths", "expected"), PROJECTIONS)
def test_project_keeps_only_the_paths(pb, full, paths, expected):
    before = full.SerializeToString(deterministic=True)

    part = codec.project(full, paths)

    assert part == json_format.ParseDict(expected, pb.Person())
    assert full.SerializeToString(deterministic=True) == before


def test_project_leaves_unknown_fields_behind(pb):
    known = pb.Person(id="1").SerializeToString()

    part = codec.project(pb.Person.FromString(known + b"\xfa\x3f\x03new"), ["id"])

    assert part.SerializeToString() == known


def without(*names):
    return {name: value for name, value in FULL.items() if name not in names}


HIDINGS = [
    ([], FULL),
    (["id", "weight", "extra"], without("id")),
    (["phones"], without("phones")),
    (["phones.number"], FULL | {"phones": [{"kind": "a"}, {"kind": "b"}]}),
    (["phones.number", "phones.kind"], FULL | {"phones": [{}, {}]}),
    (["phones.details.f_int32"], FULL),
    (
        ["address.desk.number"],
        FULL | {"address": {"city": "Kraków", "floor": 0, "desk": {"kind": "c"}}},
    ),
    (["phone.number"], FULL | {"phone": {}}),
    (["custom.size", "custom.none"], FULL | {"custom": {"code": None, "a.b": "c"}}),
    (["custom.a.b", "custom.size", "custom.code"], without("custom")),
    (["custom"], without("custom")),
    (["labels.k", "by_floor.3", "answers.true"], without("labels", "byFloor", "answers")),
    (["anything", "birth_date.year"], without("anything") | {"birthDate": {"month": 2}}),
]


@pytest.mark.parametrize(("paths", "expected"), HIDINGS)
def test_hide_clears_the_paths_in_message_and_json_alike(pb, full, paths, expected):
    json_dict = codec.to_dict(full)

    codec.hide(full, paths)
    codec.hide_dict(json_dict, pb.Person.DESCRIPTOR, paths)

    assert full == json_format.ParseDict(expected, pb.Person())
    assert json_dict == expected


def test_hide_reaches_every_level_of_a_message_that_contains_itself(pb):
    body = {"name": "a", "children": [{"name": "b", "child": {"name": "c"}}], "byName": {"x": {}}}
    node = json_format.ParseDict(body, pb.Node())

    codec.hide(node, ["children.child.name", "by_name.x", "child.child.child.name"])

    assert codec.to_dict(node) == {"name": "a", "children": [{"name": "b", "child": {}}]}


def test_very_long_paths_are_answered_and_not_remembered(pb, full):
    key = "k" * 100_000

    codec.hide(full, [f"custom.{key}"])

    assert codec.project(full, [f"custom.{key}", "id"]) == pb.Person(id="1")
