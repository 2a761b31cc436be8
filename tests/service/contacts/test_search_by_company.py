"""People are found by the name of their company, whatever happens to the company, and only by who may see it."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.db.names import database_of, roles_of
from chassis.db.pool import connect
from chassis.kit.reindex import reindex
from chassis.waits import first_of
from crm.contacts.v1 import company_pb2 as companies
from crm.contacts.v1 import contact_pb2 as contacts
from services.contacts import store
from services.contacts.store import parties
from tests.service.contacts.world import World

READ_ALL = [{"object": "*", "action": "read", "scope": "all"}]


async def found(world: World, q: str, stub: Any = None) -> list[str]:
    answer = await (stub or world.admin).ListContacts(
        contacts.ListContactsRequest(q=q, order_by="display_name")
    )
    return [contact.display_name for contact in answer.contacts]


async def company(world: World, name: str) -> companies.Company:
    made = companies.Company(name=name)
    return await world.admin.CreateCompany(companies.CreateCompanyRequest(company=made))


async def rename(world: World, id: str, name: str) -> None:
    await world.admin.UpdateCompany(
        companies.UpdateCompanyRequest(
            company=companies.Company(id=id, name=name), update_mask=FieldMask(paths=["name"])
        )
    )


async def until_found(world: World, q: str, names: list[str]) -> None:
    async with asyncio.timeout(20):
        while await found(world, q) != names:
            await first_of(asyncio.Event(), timeout_s=0.05)


async def test_a_person_is_found_by_the_company_alone_or_with_the_own_name(world: World) -> None:
    firm, other = await company(world, "Okna Żabicki"), await company(world, "Pergola")
    await world.contact(given_name="Anna", company_id=firm.id)
    await world.contact(given_name="Budi", company_id=firm.id)
    await world.contact(given_name="Anna Maria", company_id=other.id)
    await world.contact(given_name="Ewa")

    assert await found(world, "zabicki") == ["Anna", "Budi"]
    assert await found(world, "ŻABICKI anna") == ["Anna"]
    assert await found(world, "anna") == ["Anna", "Anna Maria"]
    assert await found(world, "anna okna pergola") == []


async def test_a_person_follows_to_another_company_and_to_none(world: World) -> None:
    firm, other = await company(world, "Zabicki"), await company(world, "Pergola")
    person = await world.contact(given_name="Anna", company_id=firm.id)
    for company_id, expected in ((other.id, (False, True)), ("", (False, False))):
        await world.admin.UpdateContact(
            contacts.UpdateContactRequest(
                contact=contacts.Contact(id=person.id, company_id=company_id),
                update_mask=FieldMask(paths=["company_id"]),
            )
        )
        assert (
            bool(await found(world, "zabicki")),
            bool(await found(world, "pergola")),
        ) == expected


async def test_a_renamed_company_is_searched_by_its_new_name_and_no_contact_changes(
    world: World,
) -> None:
    firm = await company(world, "Zabicki")
    made = [await world.contact(given_name=f"Person {n:02}", company_id=firm.id) for n in range(7)]
    history = await world.count("contacts_history")

    await rename(world, firm.id, "Pergola Łódź")

    await until_found(world, "pergola lodz", [contact.display_name for contact in made])
    assert await found(world, "zabicki") == []
    assert [await world.contact(contact.id) for contact in made] == made
    assert await world.count("contacts_history") == history


@pytest.mark.large
async def test_a_large_company_is_renamed_in_several_transactions(world: World) -> None:
    firm = await company(world, "Zabicki")
    await world.contact(given_name="Anna", company_id=firm.id)
    size = parties.NAMES_AT_ONCE + 5
    columns = [c.name for c in parties.contacts.table.columns if c.name != "id"]
    await world.running.rows(
        "contacts",
        f"INSERT INTO contacts (id, {', '.join(columns)}) SELECT gen_random_uuid(), {', '.join(columns)}"
        " FROM contacts, generate_series(2, $2) WHERE tenant_id = $1",
        world.tenant.id,
        size,
    )

    await rename(world, firm.id, "Pergola")

    left = "SELECT count(*) AS n FROM contacts WHERE tenant_id = $1 AND search LIKE $2"
    async with asyncio.timeout(20):
        while (await world.running.rows("contacts", left, world.tenant.id, "%zabicki"))[0]["n"]:
            await first_of(asyncio.Event(), timeout_s=0.05)
    (row,) = await world.running.rows("contacts", left, world.tenant.id, "%pergola")
    assert row["n"] == size


async def test_contacts_saved_while_their_company_is_renamed_all_get_the_new_name(
    world: World,
) -> None:
    firm = await company(world, "Zabicki 0")
    people = [world.contact(given_name=f"Person {n:02}", company_id=firm.id) for n in range(20)]
    names = [rename(world, firm.id, f"Zabicki {n}{n}{n}") for n in range(1, 6)]

    await asyncio.gather(*people, *names)

    last = await world.admin.GetCompany(companies.GetCompanyRequest(id=firm.id))
    await until_found(world, last.name, [f"Person {n:02}" for n in range(20)])


async def test_who_does_not_see_the_company_of_a_contact_does_not_find_by_it(world: World) -> None:
    firm = await company(world, "Zabicki")
    await world.contact(given_name="Anna", company_id=firm.id)
    blind = await world.tenant.person(READ_ALL, hidden=["contact.company_id"])
    seeing = await world.tenant.person(READ_ALL)

    assert await found(world, "zabicki", world.stub(blind)) == []
    assert await found(world, "anna", world.stub(blind)) == ["Anna"]
    assert await found(world, "zabicki", world.stub(seeing)) == ["Anna"]


async def test_a_reindex_keeps_what_the_company_adds(world: World) -> None:
    firm = await company(world, "Zabicki")
    await world.contact(given_name="Anna", company_id=firm.id)
    raw = await connect(
        world.running.process.settings.database_url(
            database_of("contacts"), roles_of("contacts")[0]
        )
    )
    try:
        assert await reindex(raw, store.contacts, first_tenant=world.tenant.id) >= 1
    finally:
        await raw.close()

    assert await found(world, "zabicki anna") == ["Anna"]
