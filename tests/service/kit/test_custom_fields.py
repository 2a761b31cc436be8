"""Custom fields: nine types, required, per role, in filters and orders, and definitions that keep their word (S176)."""

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant
from crm.common.v1 import common_pb2 as common
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import customization_pb2 as customization
from tests.service.kit.support import Desk, unchanged

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
ID = uuid7()


def value(plain: Any) -> struct_pb2.Value:
    return json_format.ParseDict(plain, struct_pb2.Value())


GOOD_AND_BAD: list[tuple[str, list[Any], list[Any]]] = [
    ("TEXT", ["", "Łódź", "x" * 4000], ["x" * 4001, 5, True, ["a"]]),
    ("NUMBER", [0, -5, 2**53 - 1], [1.5, "5", True, 2**53, 1e300]),
    (
        "DECIMAL",
        ["0", "-12.50", "+3.1", "9" * 30],
        ["", "1e5", "NaN", "Infinity", "1_000", "١٢", " 1", "1,5", 1.5, "9" * 31],
    ),
    (
        "DATE",
        ["2024-02-29", "1899-01-01"],
        ["2023-02-29", "2024-W10-1", "20240229", "29.02.2024", "", 20240229],
    ),
    ("CHOICE", ["red", "blue"], ["green", "", ["red"], 1, {"red": 1}]),
    (
        "MULTI_CHOICE",
        [[], ["red"], ["red", "blue"]],
        ["red", ["green"], [1], [["red"]], {"red": 1}],
    ),
    ("YES_NO", [True, False], ["true", 1, 0]),
    ("REFERENCE", [ID], ["", "42", 42, ID[:-1], ID.replace("-", "_")]),
    ("FILE", [], ["", "file.pdf", [ID], ID]),
]


@pytest.mark.parametrize(
    ("type", "good", "bad"), GOOD_AND_BAD, ids=[row[0] for row in GOOD_AND_BAD]
)
async def test_values_of_a_type(
    crm: Installation, tenant: Tenant, desk: Desk, type: str, good: list[Any], bad: list[Any]
) -> None:
    await desk.custom_field("field", type, choices=["red", "blue"] if "CHOICE" in type else [])

    for plain in good:
        made = await desk.create(custom={"field": value(plain)})
        assert json_format.MessageToDict(made.custom["field"]) == plain
    async with unchanged(crm, tenant):
        for plain in bad:
            with pytest.raises(errors.InvalidArgument) as refusal:
                await desk.create(custom={"field": value(plain)})
            assert refusal.value.reason == "CUSTOM_FIELD_INVALID", plain
            assert [v.field for v in refusal.value.violations] == ["custom.field"], plain


@pytest.mark.parametrize(
    "bad",
    [
        struct_pb2.Value(number_value=float("nan")), struct_pb2.Value(number_value=float("inf")), value("a\x00b"),
        value(["a\x00b"]), value({"a\x00": 1}),
    ],
)  # fmt: skip
async def test_value_that_neither_json_nor_a_column_has_is_refused(
    desk: Desk, bad: struct_pb2.Value
) -> None:
    for type in ("NUMBER", "TEXT"):
        await desk.custom_field(type.lower(), type)
        with pytest.raises(errors.InvalidArgument) as refusal:
            await desk.create(custom={type.lower(): bad})
        assert refusal.value.violations[0].field.endswith(f"custom.{type.lower()}")


async def test_unknown_key_is_refused_with_the_known_ones(desk: Desk) -> None:
    await desk.custom_field("shoe")

    with pytest.raises(errors.InvalidArgument) as refusal:
        await desk.create(custom={"shoes": value("42")})

    assert refusal.value.violations[0].field == "custom.shoes"
    assert "shoe" in refusal.value.violations[0].description


async def test_new_field_counts_at_once_in_the_process_that_made_it(desk: Desk) -> None:
    field = common.CustomField(
        resource="contacts", key="shoe", label="Shoe", type=common.CUSTOM_FIELD_TYPE_TEXT
    )
    await desk.stub.CreateCustomField(customization.CreateCustomFieldRequest(custom_field=field))

    assert (await desk.create(custom={"shoe": value("42")})).custom["shoe"].string_value == "42"


async def test_required_field_must_be_given_and_not_empty(desk: Desk) -> None:
    before = await desk.create("Before")
    await desk.custom_field("vat", required=True)

    for custom in ({}, {"vat": value("")}):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await desk.create(custom=custom)
        assert [(v.field, v.description) for v in refusal.value.violations] == [
            ("custom.vat", "is required")
        ]
    made = await desk.create(custom={"vat": value("PL1")})
    with pytest.raises(errors.InvalidArgument):
        await desk.update(made.id, "custom.vat")
    assert (await desk.update(before.id, display_name="Still editable")).etag == "2"


async def test_custom_path_sets_and_clears_one_key(desk: Desk) -> None:
    await desk.custom_field("shoe")
    await desk.custom_field("hat")
    made = await desk.create(custom={"shoe": value("42"), "hat": value("L")})

    await desk.update(made.id, "custom.shoe", custom={"shoe": value("43")})
    assert {k: v.string_value for k, v in (await desk.get(made.id)).custom.items()} == {
        "shoe": "43",
        "hat": "L",
    }
    await desk.update(made.id, "custom.hat")
    await desk.update(made.id, "custom.shoe", custom={"shoe": value(None)})
    assert not (await desk.get(made.id)).custom


async def test_stored_value_of_a_deleted_field_stays_and_does_not_block(desk: Desk) -> None:
    field = await desk.custom_field("shoe")
    made = await desk.create(custom={"shoe": value("42")})
    request = customization.DeleteCustomFieldRequest(id=field.id, resource="contacts")
    await desk.heard_of(await desk.stub.DeleteCustomField(request))

    updated = await desk.update(made.id, display_name="B")

    assert updated.custom["shoe"].string_value == "42"
    with pytest.raises(errors.InvalidArgument):
        await desk.update(made.id, "custom.shoe", custom={"shoe": value("43")})
    request = customization.UndeleteCustomFieldRequest(id=field.id, resource="contacts")
    await desk.heard_of(await desk.stub.UndeleteCustomField(request))
    assert (await desk.update(made.id, "custom.shoe", custom={"shoe": value("43")})).custom[
        "shoe"
    ].string_value == "43"


FILTERS: list[tuple[str, dict[str, Any], dict[str, list[str]]]] = [
    ("TEXT", {"A": "Łódź", "B": "zoo", "C": None}, {'custom.f = "Łódź"': ["A"], 'custom.f != "zoo"': ["A", "C"]}),
    ("NUMBER", {"A": 5, "B": 40, "C": None}, {"custom.f = 5": ["A"], "custom.f > 5": ["B"], "custom.f <= 40": ["A", "B"]}),
    ("DECIMAL", {"A": "5.5", "B": "40", "C": None}, {'custom.f = "5.50"': ["A"], "custom.f > 5.5": ["B"]}),
    ("DATE", {"A": "2024-02-29", "B": "2025-01-01", "C": None}, {'custom.f < "2025-01-01"': ["A"]}),
    ("CHOICE", {"A": "red", "B": "blue", "C": None}, {"custom.f = red": ["A"]}),
    ("MULTI_CHOICE", {"A": ["red", "blue"], "B": ["blue"], "C": None}, {"custom.f:red": ["A"], "custom.f:blue": ["A", "B"]}),
    ("YES_NO", {"A": True, "B": False, "C": None}, {"custom.f = true": ["A"], "custom.f = false": ["B"]}),
    ("REFERENCE", {"A": ID, "B": uuid7(), "C": None}, {f'custom.f = "{ID}"': ["A"]}),
]  # fmt: skip


@pytest.mark.parametrize(("type", "rows", "cases"), FILTERS, ids=[row[0] for row in FILTERS])
async def test_filterable_field_filters_now_and_as_of(
    desk: Desk, type: str, rows: dict[str, Any], cases: dict[str, list[str]]
) -> None:
    await desk.custom_field(
        "f", type, filterable=True, choices=["red", "blue"] if "CHOICE" in type else []
    )
    for name, plain in rows.items():
        last = await desk.create(name, custom={} if plain is None else {"f": value(plain)})

    for text, expected in cases.items():
        asked = {"filter": text, "order_by": "display_name"}
        assert await desk.names(**asked) == expected, text
        assert (
            await desk.names(as_of=last.create_time.ToDatetime().astimezone(), **asked) == expected
        ), text


@pytest.mark.parametrize(("type", "a", "b"), [("NUMBER", 5, 40), ("DECIMAL", "5.5", "40"), ("DATE", "2024-02-29", "2025-01-01"),
                                             ("TEXT", "anna", "Zoo")])  # fmt: skip
async def test_filterable_field_sorts_by_its_kind_and_pages(
    desk: Desk, type: str, a: Any, b: Any
) -> None:
    await desk.custom_field("f", type, filterable=True)
    await desk.create("B", custom={"f": value(b)})
    await desk.create("None")
    await desk.create("A", custom={"f": value(a)})

    seen, token = [], ""
    for _ in range(3):
        page = await desk.page(order_by="custom.f", page_size=1, page_token=token)
        seen += [c.display_name for c in page.contacts]
        token = page.next_page_token

    assert seen == ["None", "A", "B"]
    assert token == ""
    assert await desk.names(order_by="custom.f desc") == ["B", "A", "None"]


async def test_field_that_is_not_filterable_is_refused_in_filter_and_order(desk: Desk) -> None:
    await desk.custom_field("shoe")

    for asked in ({"filter": 'custom.shoe = "42"'}, {"order_by": "custom.shoe"}):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await desk.page(**asked)
        assert refusal.value.reason == "BAD_LIST"


async def test_field_of_some_roles_is_absent_for_others_everywhere(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    boss = await tenant.person(EVERYTHING)
    (role_id,) = crm.process.directory.of(tenant.id).user(boss.id)["role_ids"]
    chief, clerk = Desk(tenant, boss), Desk(tenant, await tenant.person(EVERYTHING))
    field = await desk.custom_field(
        "salary", "NUMBER", filterable=True, required=True, role_ids=[role_id]
    )
    await desk.custom_field("shoe")
    made = await chief.create("Ana", custom={"salary": value(100), "shoe": value("42")})

    assert "salary" in (await chief.get(made.id)).custom
    answers = [
        await clerk.get(made.id),
        (await clerk.page()).contacts[0],
        (await clerk.stub.BatchGetContacts(pb.BatchGetContactsRequest(ids=[made.id]))).contacts[0],
        await clerk.get(made.id, as_of=made.create_time.ToDatetime().astimezone()),
        (await clerk.page(as_of=made.create_time.ToDatetime().astimezone())).contacts[0],
        await clerk.update(made.id, display_name="Anna"),
        await clerk.delete(made.id),
        await clerk.undelete(made.id),
    ]
    assert [sorted(answer.custom) for answer in answers] == [["shoe"]] * len(answers)
    told = {c.field for revision in await clerk.history(made.id) for c in revision.changes}
    assert "custom.shoe" in told
    assert "custom.salary" not in told
    assert (await chief.get(made.id)).custom[
        "salary"
    ].number_value == 100  # the clerk's update kept it
    async with unchanged(crm, tenant):
        for refused in (
            clerk.page(filter="custom.salary > 5"), clerk.page(order_by="custom.salary"), clerk.get(made.id, "custom.salary"),
            clerk.update(made.id, "custom.salary", custom={"salary": value(1)}), clerk.update(made.id, "custom"),
            clerk.create(custom={"salary": value(1)}),
        ):  # fmt: skip
            with pytest.raises(errors.PermissionDenied) as refusal:
                await refused
            assert refusal.value.reason == "FIELD_HIDDEN"
    assert (await clerk.create("By clerk", custom={"shoe": value("1")})).custom.keys() == {"shoe"}
    assert field.required  # which the clerk, who cannot see it, need not fill in


async def test_key_type_and_resource_of_a_field_cannot_be_changed(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    field = await desk.custom_field("shoe")

    async with unchanged(crm, tenant):
        for change in (
            {"key": "boot"},
            {"type": "CUSTOM_FIELD_TYPE_NUMBER"},
            {"resource": "companies"},
        ):
            request = customization.UpdateCustomFieldRequest(
                custom_field=common.CustomField(id=field.id, **change), resource="contacts"
            )
            request.update_mask.paths.extend(change)
            with pytest.raises(errors.FailedPrecondition) as refusal:
                await desk.stub.UpdateCustomField(request)
            assert refusal.value.reason == "CUSTOM_FIELD_FIXED"


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"resource": "unicorns"}, "resource"), ({"key": "Bad Key"}, "key"), ({"key": ""}, "key"),
        ({"type": 0}, "type"), ({"label": ""}, "label"),
        ({"type": common.CUSTOM_FIELD_TYPE_CHOICE}, "choices"),
        ({"type": common.CUSTOM_FIELD_TYPE_CHOICE, "choices": ["a", "a"]}, "choices"),
    ],
)  # fmt: skip
async def test_bad_definition_is_refused_by_field(
    crm: Installation, tenant: Tenant, desk: Desk, bad: dict[str, Any], named: str
) -> None:
    good = {
        "resource": "contacts",
        "key": "shoe",
        "label": "Shoe",
        "type": common.CUSTOM_FIELD_TYPE_TEXT,
    }
    field = common.CustomField(**{**good, **bad})

    async with unchanged(crm, tenant):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await desk.stub.CreateCustomField(
                customization.CreateCustomFieldRequest(custom_field=field)
            )
    assert any(named in violation.field for violation in refusal.value.violations)


async def test_two_fields_of_one_key_are_refused_but_lists_tell_resources_apart(desk: Desk) -> None:
    await desk.custom_field("shoe")
    with pytest.raises(errors.AlreadyExists):
        await desk.custom_field("shoe")
    other = common.CustomField(
        resource="companies", key="shoe", label="S", type=common.CUSTOM_FIELD_TYPE_TEXT
    )
    await desk.stub.CreateCustomField(customization.CreateCustomFieldRequest(custom_field=other))

    of_companies = await desk.stub.ListCustomFields(
        customization.ListCustomFieldsRequest(resource="companies")
    )
    every = await desk.stub.ListCustomFields(customization.ListCustomFieldsRequest())

    assert [f.resource for f in of_companies.custom_fields] == ["companies"]
    assert len(every.custom_fields) == 2
