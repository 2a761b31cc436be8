"""Layouts: what they may name, and which one applies to whom."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.testing.installation import Person
from crm.common.v1 import common_pb2
from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from crm.contacts.v1 import customization_pb2 as custom
from crm.contacts.v1 import layout_pb2 as pb
from crm.contacts.v1.layouts_service_pb2_grpc import LayoutsServiceStub
from tests.service.contacts.test_notes import until
from tests.service.contacts.world import Refused, World

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
CUSTOMER, SUPPLIER = party_pb2.PARTY_ROLE_CUSTOMER, party_pb2.PARTY_ROLE_SUPPLIER


def desk(person: Person) -> Any:
    return person.stub(LayoutsServiceStub)


async def lay_out(world: World, *fields: str, name: str = "L", **values: Any) -> pb.Layout:
    layout = pb.Layout(
        name=name, resource="contacts", sections=[pb.LayoutSection(fields=fields)], **values
    )
    return await desk(world.tenant.admin).CreateLayout(pb.CreateLayoutRequest(layout=layout))


async def effective(person: Person, resource: str = "contacts", **asked: Any) -> pb.EffectiveLayout:
    return await desk(person).GetEffectiveLayout(
        pb.GetEffectiveLayoutRequest(resource=resource, **asked)
    )


def fields(layout: pb.EffectiveLayout) -> list[str]:
    return [name for section in layout.sections for name in section.fields]


async def last_section(person: Person) -> list[str]:
    return list((await effective(person)).sections[-1].fields)


async def shoe_size(world: World, **values: Any) -> common_pb2.CustomField:
    field = common_pb2.CustomField(
        resource="contacts", key="shoe_size", label="Shoe size",
        type="CUSTOM_FIELD_TYPE_NUMBER", **values,
    )  # fmt: skip
    return await world.admin.CreateCustomField(custom.CreateCustomFieldRequest(custom_field=field))


async def test_a_small_shop_sees_phone_address_and_mailbox_only(world: World) -> None:
    """S13."""
    off = ["birthday", "needs", "company_id", "position"]
    made = await lay_out(world, "phones", "addresses", "emails", switched_off_fields=off)

    layout = await effective(world.tenant.admin)

    assert (layout.layout_id, fields(layout)) == (made.id, ["phones", "addresses", "emails"])
    assert list(layout.switched_off_fields) == off


async def test_without_a_layout_everything_is_shown(world: World) -> None:
    await shoe_size(world)

    await until(lambda: last_section(world.tenant.admin), ["custom.shoe_size"])
    person = await effective(world.tenant.admin)
    company = await effective(world.tenant.admin, "companies")

    assert person.layout_id == ""
    assert [section.title for section in person.sections][:2] == ["Person", "Reach"]
    assert set(fields(person)) >= {"phones", "emails", "next_contact_date", "owner_id"}
    assert set(fields(company)) >= {"name", "domains", "next_contact_date"}


async def test_every_field_of_the_card_is_in_the_built_in_layout(world: World) -> None:
    cards = {"contacts": contact_pb2.Contact, "companies": company_pb2.Company}
    for resource, message in cards.items():
        shown = fields(await effective(world.tenant.admin, resource))
        names = {field.name for field in message.DESCRIPTOR.fields}
        left_out = {"id", "etag", "create_time", "update_time", "delete_time", "can", "custom"}
        assert set(shown) == names - left_out
        assert len(shown) == len(set(shown))


async def test_the_most_specific_layout_wins(world: World) -> None:
    seller = await world.tenant.person(EVERYTHING)
    role_id = next(
        iter(world.running.process.directory.of(world.tenant.id).user(seller.id)["role_ids"])
    )
    await lay_out(world, "phones", name="all")
    await lay_out(world, "emails", name="suppliers", party_role=SUPPLIER)
    await lay_out(world, "birthday", name="sellers", role_id=role_id)
    await lay_out(
        world, "position", name="sellers' suppliers", role_id=role_id, party_role=SUPPLIER
    )
    admin = world.tenant.admin

    found = [
        fields(await effective(who, party_role=role))
        for who, role in ((admin, 0), (admin, SUPPLIER), (seller, CUSTOMER), (seller, SUPPLIER))
    ]

    assert found == [["phones"], ["emails"], ["birthday"], ["position"]]


async def test_hidden_and_deleted_fields_are_left_out(world: World) -> None:
    made = await shoe_size(world)
    await lay_out(world, "phones", "custom.shoe_size", "birthday")
    clerk = await world.tenant.person(EVERYTHING, hidden=["contact.birthday"])
    await until(lambda: last_section(clerk), ["phones", "custom.shoe_size"])

    await world.admin.DeleteCustomField(custom.DeleteCustomFieldRequest(id=made.id))

    await until(lambda: last_section(clerk), ["phones"])


async def test_custom_fields_of_other_roles_are_left_out(world: World) -> None:
    clerk = await world.tenant.person(EVERYTHING)
    (role_id,) = world.running.process.directory.of(world.tenant.id).user(clerk.id)["role_ids"]
    await shoe_size(world, role_ids=[role_id])
    await until(lambda: last_section(clerk), ["custom.shoe_size"])
    assert "custom.shoe_size" not in fields(await effective(world.tenant.admin))


async def test_a_layout_names_what_exists_once(world: World) -> None:
    async with Refused(
        world, errors.InvalidArgument, "LAYOUT_INVALID",
        "sections[0].fields[0]", "sections[0].fields[2]", "sections[0].fields[3]", "switched_off_fields[1]",
    ):  # fmt: skip
        await lay_out(
            world, "shoe_size", "phones", "phones", "emails",
            switched_off_fields=["emails", "custom.shoe_size"],
        )  # fmt: skip
    async with Refused(world, errors.InvalidArgument, "LAYOUT_INVALID", "resource"):
        layout = pb.Layout(name="L", resource="forms", sections=[pb.LayoutSection(fields=["name"])])
        await desk(world.tenant.admin).CreateLayout(pb.CreateLayoutRequest(layout=layout))
    async with Refused(world, errors.InvalidArgument, "LAYOUT_INVALID", "switched_off_fields[0]"):
        layout = pb.Layout(
            name="L", resource="companies", sections=[pb.LayoutSection(fields=["phones"])],
            switched_off_fields=["name"],
        )  # fmt: skip
        await desk(world.tenant.admin).CreateLayout(pb.CreateLayoutRequest(layout=layout))
    async with Refused(world, errors.InvalidArgument, "LAYOUT_INVALID", "resource"):
        await effective(world.tenant.admin, "forms")


async def test_of_several_layouts_alike_the_newest_applies(world: World) -> None:
    await lay_out(world, "phones")
    newest = await lay_out(world, "emails")
    assert fields(await effective(world.tenant.admin)) == ["emails"]
    await desk(world.tenant.admin).DeleteLayout(pb.DeleteLayoutRequest(id=newest.id))
    assert fields(await effective(world.tenant.admin)) == ["phones"]


async def test_a_layout_for_an_unknown_role_is_refused(world: World) -> None:
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "role_id"):
        await lay_out(world, "emails", role_id="019a0000-0000-7000-8000-000000000000")


async def test_a_deleted_custom_field_does_not_block_other_changes(world: World) -> None:
    field = await shoe_size(world)
    made = await lay_out(world, "phones", "custom.shoe_size")
    await world.admin.DeleteCustomField(custom.DeleteCustomFieldRequest(id=field.id))

    renamed = await desk(world.tenant.admin).UpdateLayout(
        pb.UpdateLayoutRequest(
            layout=pb.Layout(id=made.id, name="Shop"), update_mask=FieldMask(paths=["name"])
        )
    )

    assert renamed.name == "Shop"
