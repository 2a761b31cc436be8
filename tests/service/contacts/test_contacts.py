"""Contacts and companies through the API."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from crm.contacts.v1 import company_pb2, contact_pb2, label_pb2
from crm.contacts.v1.company_pb2 import Company
from crm.contacts.v1.contact_pb2 import Contact
from crm.contacts.v1.party_pb2 import Email, ExternalId, PartyNeed, Phone, Relation
from tests.service.contacts.world import Refused, World


async def update(world: World, contact: Contact, *paths: str, **request: Any) -> Contact:
    return await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact, update_mask=FieldMask(paths=paths), **request
        )
    )


async def found(world: World, **request: Any) -> list[str]:
    answer = await world.admin.ListContacts(contact_pb2.ListContactsRequest(**request))
    return [contact.display_name for contact in answer.contacts]


async def test_a_created_contact_is_kept_in_normal_form_and_told_once(world: World) -> None:
    created = await world.contact(
        given_name="Zofia",
        family_name="Wiśniewska",
        phones=[Phone(number="601 234 567")],
        emails=[Email(address="Zofia@Example.PL")],
    )

    kept = await world.contact(created.id)
    assert (kept.display_name, kept.phones[0].number, kept.emails[0].address, kept.etag) == (
        "Zofia Wiśniewska",
        "+48601234567",
        "zofia@example.pl",
        "1",
    )
    assert kept.owner_id == world.tenant.admin.id
    (event,) = await world.running.events(world.tenant, "ContactCreated")
    assert event["contact"]["phones"] == [{"number": "+48601234567"}]


async def test_everything_wrong_is_refused_at_once(world: World) -> None:
    wrong = Contact(
        given_name="Jan", phones=[Phone(number="12")], relations=[Relation(kind="spouse")]
    )
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID", "phones[0].number", "relations[0]"
    ):
        await world.contact(
            given_name=wrong.given_name, phones=wrong.phones, relations=wrong.relations
        )


async def test_a_contact_without_name_phone_and_email_is_refused(world: World) -> None:
    async with Refused(world, errors.InvalidArgument, "CONTACT_EMPTY", "display_name"):
        await world.contact(position="head")


async def test_references_to_nothing_are_refused_together(world: World) -> None:
    nowhere = uuid7()
    async with Refused(
        world,
        errors.InvalidArgument,
        "REFERENCE_UNKNOWN",
        "label_ids[0]",
        "source_id",
        "company_id",
        "needs[0].need_id",
    ):
        await world.contact(
            given_name="A",
            company_id=nowhere,
            label_ids=[nowhere],
            needs=[PartyNeed(need_id=nowhere)],
            source_id=nowhere,
        )


async def test_a_reference_of_another_tenant_is_nothing(world: World) -> None:
    stranger = World(world.running, await world.running.tenant())
    theirs = await stranger.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=Company(name="X"))
    )
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "company_id"):
        await world.contact(given_name="A", company_id=theirs.id)


async def test_an_owner_who_has_left_is_refused(world: World) -> None:
    left = await world.tenant.person(state="deactivated")
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "owner_id"):
        await world.contact(given_name="A", owner_id=left.id)


async def test_display_name_follows_a_new_family_name(world: World) -> None:
    contact = await world.contact(given_name="Anna", family_name="Nowak")
    changed = await update(world, Contact(id=contact.id, family_name="Lis"), "family_name")
    assert changed.display_name == "Anna Lis"


async def test_an_external_id_names_one_record_per_system(world: World) -> None:
    first = await world.contact(given_name="A", external_ids=[ExternalId(system="shop", id="7")])
    await world.contact(given_name="B", external_ids=[ExternalId(system="erp", id="7")])
    async with Refused(world, errors.AlreadyExists, "EXTERNAL_ID_TAKEN", "external_ids"):
        await world.contact(given_name="C", external_ids=[ExternalId(system="shop", id="7")])
    assert await found(world, filter='external_ids:"shop/7"') == [first.display_name]


async def test_twenty_imports_of_one_external_id_make_one_contact(world: World) -> None:
    ids = [ExternalId(system="shop", id="1")]
    tries = (world.contact(given_name=f"N{n}", external_ids=ids) for n in range(20))
    answers = await asyncio.gather(*tries, return_exceptions=True)

    assert Counter(getattr(answer, "reason", "made") for answer in answers) == {
        "made": 1,
        "EXTERNAL_ID_TAKEN": 19,
    }
    assert await world.count("contacts") == 1


async def test_an_external_id_is_free_after_deletion_and_undeletion_is_refused_once_it_is_taken(
    world: World,
) -> None:
    ids = [ExternalId(system="shop", id="7")]
    first = await world.contact(given_name="A", external_ids=ids)
    await world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=first.id))
    second = await world.contact(given_name="B", external_ids=ids)

    async with Refused(world, errors.AlreadyExists, "EXTERNAL_ID_TAKEN", "external_ids"):
        await world.admin.UndeleteContact(contact_pb2.UndeleteContactRequest(id=first.id))

    await update(world, Contact(id=second.id), "external_ids")
    back = await world.admin.UndeleteContact(contact_pb2.UndeleteContactRequest(id=first.id))
    assert list(back.external_ids) == ids


@pytest.mark.parametrize(
    "q",
    [
        "wisniewska",
        "Wiśniew",
        "ŁUCJA",
        "lucja wis",
        "gazeta.pl",
        "4567",
        "601-234-567",
        "+48 601 234 567",
        "0601234567",
        "(234) 567",
        "ZAM-99",
    ],
)
async def test_search_finds_a_contact_by_any_of_its_parts(world: World, q: str) -> None:
    await world.contact(
        given_name="Łucja",
        family_name="Wiśniewska",
        phones=[Phone(number="601 234 567")],
        emails=[Email(address="lw@gazeta.pl")],
        external_ids=[ExternalId(system="shop", id="ZAM-99")],
    )
    await world.contact(
        given_name="Jan", family_name="Nowak", phones=[Phone(number="+62 812 999 888 77")]
    )
    assert await found(world, q=q) == ["Łucja Wiśniewska"]


async def test_names_sort_as_people_expect(world: World) -> None:
    people = [
        ("Jan", "Łaski"),
        ("Ewa", "Zima"),
        ("Adam", "Lis"),
        ("Ola", "Ćwik"),
        ("Iza", "Cyran"),
        ("Jan", "Mazur"),
    ]
    for given, family in people:
        await world.contact(given_name=given, family_name=family)
    await world.contact(given_name="Suharto")
    assert await found(world, order_by="display_name") == [
        "Iza Cyran",
        "Ola Ćwik",
        "Adam Lis",
        "Jan Łaski",
        "Jan Mazur",
        "Suharto",
        "Ewa Zima",
    ]


async def test_filters_over_standard_fields(world: World) -> None:
    label = await world.admin.CreateLabel(
        label_pb2.CreateLabelRequest(label=label_pb2.Label(name="VIP"))
    )
    await world.contact(
        given_name="Anna", language="pl", label_ids=[label.id], party_roles=["PARTY_ROLE_SUPPLIER"]
    )
    await world.contact(
        given_name="Budi",
        phones=[Phone(number="+62 812 3456 7890")],
        lifecycle_stage="LIFECYCLE_STAGE_LEAD",
    )
    assert await found(world, filter=f'label_ids:"{label.id}"') == ["Anna"]
    assert await found(world, filter="party_roles:SUPPLIER") == ["Anna"]
    assert await found(world, filter="lifecycle_stage=LEAD") == ["Budi"]
    assert await found(world, filter='phones:"+62 812 3456 7890"') == ["Budi"]
    assert await found(
        world, filter='language=pl OR display_name="budi"', order_by="display_name"
    ) == ["Anna", "Budi"]


async def test_search_of_a_role_without_phones_finds_names_only(world: World) -> None:
    await world.contact(given_name="Jan", phones=[Phone(number="601 234 567")])
    person = await world.tenant.person(
        [{"object": "contact", "action": "read", "scope": "all"}], hidden=["contact.phones"]
    )
    for q, names in (("601234", []), ("jan", ["Jan"])):
        answer = await world.stub(person).ListContacts(contact_pb2.ListContactsRequest(q=q))
        assert [c.display_name for c in answer.contacts] == names
        assert not any(c.phones for c in answer.contacts)


async def test_companies_are_kept_found_and_claimed_alike(world: World) -> None:
    company = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(
            company=Company(
                name="Okna Żabicki",
                legal_name="Żabicki i Synowie Sp. z o.o.",
                domains=["WWW.Zabicki.PL"],
                phones=[Phone(number="22 123 45 67")],
                external_ids=[ExternalId(system="shop", id="7")],
            )
        )
    )
    await world.contact(
        given_name="A", external_ids=[ExternalId(system="shop", id="7")]
    )  # a person, not a company
    for q in ("zabicki", "synowie", "zabicki.pl", "1234567"):
        answer = await world.admin.ListCompanies(company_pb2.ListCompaniesRequest(q=q))
        assert [c.id for c in answer.companies] == [company.id], q
    async with Refused(world, errors.AlreadyExists, "EXTERNAL_ID_TAKEN", "external_ids"):
        await world.admin.CreateCompany(
            company_pb2.CreateCompanyRequest(
                company=Company(name="B", external_ids=[ExternalId(system="shop", id="7")])
            )
        )
