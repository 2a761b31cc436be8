"""Sources, needs, labels and forms for colleagues; custom fields and saved views of this service."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Value

from chassis import errors
from chassis.keys import tenant_of
from crm.common.v1 import common_pb2
from crm.contacts.v1 import contact_pb2, form_pb2, label_pb2, need_pb2, source_pb2
from crm.contacts.v1 import customization_pb2 as custom
from crm.contacts.v1.form_pb2 import Form, FormField
from crm.contacts.v1.source_pb2 import Source
from tests.service.contacts.world import QUESTIONS, Refused, World


async def source(world: World, key: str, **values: object) -> Source:
    return await world.admin.CreateSource(
        source_pb2.CreateSourceRequest(source=Source(key=key, name=key, **values))
    )


async def test_the_catalogue_is_the_tenants_to_edit(world: World) -> None:
    first = await source(world, "billboard", position=2)
    await source(world, "fair", position=1)
    await world.admin.UpdateSource(
        source_pb2.UpdateSourceRequest(
            source=Source(id=first.id, name=" Big  billboard "),
            update_mask=FieldMask(paths=["name"]),
        )
    )
    listed = await world.admin.ListSources(source_pb2.ListSourcesRequest())
    assert [(s.key, s.name) for s in listed.sources] == [
        ("fair", "fair"),
        ("billboard", "Big billboard"),
    ]


async def test_a_key_is_unique_among_the_living_and_never_changes(world: World) -> None:
    first = await source(world, "fair")
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await source(world, "fair")
    async with Refused(world, errors.InvalidArgument, "KEY_FIXED", "key"):
        await world.admin.UpdateSource(
            source_pb2.UpdateSourceRequest(
                source=Source(id=first.id, key="other"), update_mask=FieldMask(paths=["key"])
            )
        )
    await world.admin.DeleteSource(source_pb2.DeleteSourceRequest(id=first.id))
    await source(world, "fair")
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await world.admin.UndeleteSource(source_pb2.UndeleteSourceRequest(id=first.id))


async def test_labels_differ_by_more_than_case_and_needs_by_key(world: World) -> None:
    await world.admin.CreateLabel(
        label_pb2.CreateLabelRequest(label=label_pb2.Label(name="VIP", color="#ff0000"))
    )
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "name"):
        await world.admin.CreateLabel(
            label_pb2.CreateLabelRequest(label=label_pb2.Label(name=" vip "))
        )
    need = need_pb2.CreateNeedRequest(need=need_pb2.Need(key="warm_house", name="A warm house"))
    await world.admin.CreateNeed(need)
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await world.admin.CreateNeed(need)


async def test_a_forms_key_carries_the_tenant_and_stays(world: World) -> None:
    form = await world.form(allowed_origins=["HTTPS://Okna.example"])
    assert tenant_of(form.key) == world.tenant.id
    assert list(form.allowed_origins) == ["https://okna.example"]
    changed = await world.admin.UpdateForm(
        form_pb2.UpdateFormRequest(
            form=Form(id=form.id, name="N"), update_mask=FieldMask(paths=["name"])
        )
    )
    assert (changed.key, changed.name) == (form.key, "N")
    async with Refused(world, errors.InvalidArgument, "INVALID_MASK"):
        await world.admin.UpdateForm(
            form_pb2.UpdateFormRequest(
                form=Form(id=form.id, key="x"), update_mask=FieldMask(paths=["key"])
            )
        )


async def test_a_form_that_nobody_could_fill_in_is_refused(world: World) -> None:
    wrong = Form(
        name="F",
        fields=[*QUESTIONS, FormField(key="name", label="Again")],
        allowed_origins=["okna.example"],
    )
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID", "fields[4].key", "allowed_origins[0]"
    ):
        await world.admin.CreateForm(form_pb2.CreateFormRequest(form=wrong))


async def test_a_tenants_own_field_is_checked_and_filtered(world: World) -> None:
    field = common_pb2.CustomField(
        resource="contacts",
        key="shoe_size",
        label="Shoe size",
        type="CUSTOM_FIELD_TYPE_NUMBER",
        filterable=True,
    )
    await world.admin.CreateCustomField(custom.CreateCustomFieldRequest(custom_field=field))
    await world.contact(given_name="A", custom={"shoe_size": Value(number_value=44)})
    await world.contact(given_name="B", custom={"shoe_size": Value(number_value=38)})
    answer = await world.admin.ListContacts(
        contact_pb2.ListContactsRequest(filter="custom.shoe_size > 40")
    )
    assert [c.display_name for c in answer.contacts] == ["A"]
    async with Refused(world, errors.InvalidArgument, "CUSTOM_FIELD_INVALID", "custom.shoe_size"):
        await world.contact(given_name="C", custom={"shoe_size": Value(string_value="big")})


async def test_saved_views_keep_lists_that_work(world: World) -> None:
    view = common_pb2.SavedView(
        resource="contacts", label="Mine", filter="lifecycle_stage=LEAD", order_by="display_name"
    )
    made = await world.admin.CreateSavedView(custom.CreateSavedViewRequest(saved_view=view))
    listed = await world.admin.ListSavedViews(custom.ListSavedViewsRequest(resource="contacts"))
    assert [v.id for v in listed.saved_views] == [made.id]
    view.filter = "nonsense = 1"
    with pytest.raises(errors.InvalidArgument):
        await world.admin.CreateSavedView(custom.CreateSavedViewRequest(saved_view=view))
