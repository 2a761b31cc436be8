"""Update: what a mask means, what it may name, and commands that arrive late (M24, U37)."""

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Tenant
from crm.contacts.v1 import contact_pb2 as pb
from tests.service.kit.support import Desk, unchanged, versions

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]


async def test_only_masked_fields_change(desk: Desk) -> None:
    made = await desk.create("Ana", salutation="Pani", position="clerk")

    await desk.update(made.id, "salutation", salutation="Dr", position="ignored")

    got = await desk.get(made.id)
    assert (got.display_name, got.salutation, got.position, got.etag) == ("Ana", "Dr", "clerk", "2")


async def test_masked_field_without_a_value_is_cleared(desk: Desk) -> None:
    made = await desk.create(
        "Ana", salutation="Pani", birthday={"year": 1990, "month": 5, "day": 17}
    )

    await desk.update(made.id, "salutation", "birthday")

    got = await desk.get(made.id)
    assert got.salutation == ""
    assert not got.HasField("birthday")


async def test_repeated_field_is_replaced_whole(desk: Desk) -> None:
    made = await desk.create(
        "Ana", emails=[{"address": "a@example.com"}, {"address": "b@example.com"}]
    )

    await desk.update(made.id, emails=[{"address": "c@example.com"}])

    assert [e.address for e in (await desk.get(made.id)).emails] == ["c@example.com"]


async def test_path_inside_a_message_changes_only_that(desk: Desk) -> None:
    made = await desk.create("Ana", birthday={"year": 1990, "month": 5, "day": 17})

    await desk.update(made.id, "birthday.day", birthday={"day": 18})

    born = (await desk.get(made.id)).birthday
    assert (born.year, born.month, born.day) == (1990, 5, 18)


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["shoe_size"], "shoe_size"), (["displayName"], "displayName"), (["emails.address"], "emails.address"),
        (["id"], "id"), (["etag"], "etag"), (["create_time"], "create_time"), (["delete_time"], "delete_time"),
        (["can"], "can"), (["display_name", "update_time"], "update_time"), ([], "update_mask"),
        (["custom.no_such_key"], "custom.no_such_key"),
    ],
)  # fmt: skip
async def test_path_that_cannot_be_set_is_refused_by_name(
    crm: Installation, tenant: Tenant, desk: Desk, paths: list[str], named: str
) -> None:
    made = await desk.create("Ana")
    request = pb.UpdateContactRequest(contact=pb.Contact(id=made.id, display_name="B"))
    request.contact.custom["no_such_key"].string_value = "x"
    request.update_mask.paths.extend(paths)

    async with unchanged(crm, tenant):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await desk.stub.UpdateContact(request)
    assert any(named in f"{v.field} {v.description}" for v in refusal.value.violations)


async def test_update_of_nothing_new_makes_no_version(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")

    async with unchanged(crm, tenant):
        assert (await desk.update(made.id, display_name="Ana")).etag == "1"


async def test_late_commands_on_other_fields_both_land(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    seen = await desk.create("Ana", salutation="Pani", position="clerk")

    await desk.update(seen.id, salutation="Dr", etag=seen.etag)
    late = await desk.update(seen.id, position="chief", etag=seen.etag)

    assert (late.salutation, late.position, late.etag) == ("Dr", "chief", "3")
    assert await versions(crm, "contacts", seen.id) == [1, 2, 3]


async def test_late_command_on_the_same_field_names_field_who_when_and_both_values(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    seen = await desk.create("Ana", salutation="Pani")
    rival = await tenant.person(EVERYTHING, name="Budi Santoso")
    theirs = await Desk(tenant, rival).update(seen.id, salutation="Dr", etag=seen.etag)

    async with unchanged(crm, tenant):
        with pytest.raises(errors.Aborted) as refusal:
            await desk.update(seen.id, salutation="Prof", display_name="Anna", etag=seen.etag)

    assert refusal.value.reason == "FIELDS_CHANGED"
    (violation,) = refusal.value.violations
    assert violation.field == "salutation"
    moment = theirs.update_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%S")
    for told in ("Budi Santoso", moment, "'Pani'", "'Dr'", "'Prof'"):
        assert told in violation.description
    assert refusal.value.metadata["etag"] == theirs.etag


async def test_late_command_that_wants_what_is_there_already_lands(desk: Desk) -> None:
    seen = await desk.create("Ana", salutation="Pani")
    await desk.update(seen.id, salutation="Dr")

    late = await desk.update(seen.id, salutation="Dr", position="chief", etag=seen.etag)

    assert (late.salutation, late.position) == ("Dr", "chief")


async def test_late_command_after_a_change_and_its_undoing_is_a_conflict_only_if_the_values_differ(
    desk: Desk,
) -> None:
    seen = await desk.create("Ana", salutation="Pani")
    await desk.update(seen.id, salutation="Dr")
    await desk.update(seen.id, salutation="Pani")

    with pytest.raises(errors.Aborted):
        await desk.update(seen.id, salutation="Prof", etag=seen.etag)
    assert (await desk.update(seen.id, salutation="Pani", etag=seen.etag)).etag == "3"


async def test_late_commands_on_two_custom_keys_both_land(desk: Desk) -> None:
    await desk.custom_field("shoe")
    await desk.custom_field("hat")
    seen = await desk.create("Ana", custom={"shoe": {"string_value": "42"}})

    await desk.update(
        seen.id, "custom.shoe", custom={"shoe": {"string_value": "43"}}, etag=seen.etag
    )
    late = await desk.update(
        seen.id, "custom.hat", custom={"hat": {"string_value": "L"}}, etag=seen.etag
    )

    assert {key: value.string_value for key, value in late.custom.items()} == {
        "shoe": "43",
        "hat": "L",
    }
    with pytest.raises(errors.Aborted) as refusal:
        await desk.update(
            seen.id, "custom.shoe", custom={"shoe": {"string_value": "44"}}, etag=seen.etag
        )
    assert refusal.value.violations[0].field == "custom.shoe"


@pytest.mark.parametrize("etag", ["9", "0", "-1", "abc", "1.0", "²"])
async def test_etag_that_was_never_given_is_refused(
    crm: Installation, tenant: Tenant, desk: Desk, etag: str
) -> None:
    made = await desk.create("Ana")

    async with unchanged(crm, tenant):
        with pytest.raises(errors.Aborted):
            await desk.update(made.id, display_name="B", etag=etag)


async def test_rule_that_refuses_leaves_everything_as_it_was(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")

    async with unchanged(crm, tenant):
        with pytest.raises(errors.InvalidArgument):
            await desk.update(made.id, birthday={"year": 2001, "month": 2, "day": 30})
        with pytest.raises(errors.InvalidArgument):
            await desk.update(made.id, language="not a language!")
