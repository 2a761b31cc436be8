"""Who stands in for somebody who is away reads and updates that one's records, as far as both may, and as long as it lasts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Person
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub
from crm.identity.v1 import api_token_pb2, role_pb2
from crm.identity.v1 import explain_pb2 as pb
from crm.identity.v1.explain_service_pb2_grpc import ExplainServiceStub
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from tests.service.identity.conftest import grant, sign_up
from tests.service.identity.handing_over import Firm, both_running, members, new_department

OWN = role_pb2.SCOPE_OWN


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Installation]:
    async with both_running() as running:
        yield running


@pytest.fixture
async def firm(both: Installation) -> Firm:
    return Firm(await sign_up(both))


def contacts(person: Person) -> Any:
    return person.stub(ContactsServiceStub)


async def listed(person: Person) -> set[str]:
    page = await contacts(person).ListContacts(contact_pb2.ListContactsRequest())
    return {one.id for one in page.contacts}


async def got(person: Person, id: str) -> contact_pb2.Contact | None:
    try:
        found: contact_pb2.Contact = await contacts(person).GetContact(
            contact_pb2.GetContactRequest(id=id)
        )
    except errors.NotFound:
        return None
    return found


async def explained(firm: Firm, user_id: str, owner_id: str, action: str = "read") -> Any:
    request = pb.ExplainAccessRequest(
        user_id=user_id, object="contact", action=action, of_record=True, owner_id=owner_id
    )
    return await firm.admin.stub(ExplainServiceStub).ExplainAccess(request)


async def rename(person: Person, id: str, name: str) -> None:
    contact = contact_pb2.Contact(id=id, given_name=name)
    request = contact_pb2.UpdateContactRequest(
        contact=contact, update_mask={"paths": ["given_name"]}
    )
    await contacts(person).UpdateContact(request)


async def test_the_delegate_reads_and_updates_while_it_lasts_and_does_no_more(firm: Firm) -> None:
    ari, _ = await firm.company.joined(name="Ari")
    dewi, her = await firm.company.joined(name="Dewi")
    other, _ = await firm.company.joined()
    his, foreign = await firm.contact(ari.id), await firm.contact(other.id)
    assert await listed(her) == set()
    absence = await firm.absent(ari.id, delegate_id=dewi.id)

    assert await listed(her) == {his.id}
    found = await got(her, his.id)
    assert found is not None
    assert list(found.can) == ["read", "update"]
    await rename(her, his.id, "Changed")
    assert await got(her, foreign.id) is None
    with pytest.raises(errors.PermissionDenied):
        await contacts(her).DeleteContact(contact_pb2.DeleteContactRequest(id=his.id))
    told = await explained(firm, dewi.id, ari.id)
    assert (told.allowed, told.stands_in, told.reason) == (True, True, pb.ACCESS_REASON_STAND_IN)
    assert told.text == (
        "Dewi may read this contact: the role Salesperson grants contact.read (own),"
        " and Dewi stands in for its owner Ari, who is away."
    )

    await firm.back(absence.id)
    directory = firm.company.crm.process.directory
    await directory.until(lambda: not (firm.company.directory.user(ari.id) or {}).get("absences"))
    assert (await listed(her), await got(her, his.id)) == (set(), None)
    with pytest.raises(errors.NotFound):
        await rename(her, his.id, "Late")
    told = await explained(firm, dewi.id, ari.id)
    assert (told.allowed, told.stands_in) == (False, False)
    unchanged = await got(firm.admin, his.id)
    assert unchanged is not None
    assert unchanged.given_name == "Changed"


async def test_a_list_has_exactly_what_a_get_answers_for_everybody(firm: Firm) -> None:
    """A delegate who is away himself, so that the deputy acts; somebody who leads; somebody with nothing to do with it."""
    dewi, hers = await firm.company.joined()
    hana, heads = await firm.company.joined()
    ella, others = await firm.company.joined()
    sales = await new_department(firm, "Sales", deputy_id=dewi.id, head_id=hana.id)
    ari, his = await firm.company.joined(department_id=sales)
    budi, _ = await firm.company.joined()
    await members(firm, sales, 1)
    people = {dewi.id: hers, hana.id: heads, ella.id: others, ari.id: his}
    records = {owner: (await firm.contact(owner)).id for owner in (*people, budi.id)}
    await firm.absent(ari.id, delegate_id=budi.id)
    await firm.absent(budi.id)

    for id, person in people.items():
        ids = {record for record in records.values() if await got(person, record)}
        explanations = {
            record
            for owner, record in records.items()
            if (await explained(firm, id, owner)).allowed
        }
        assert await listed(person) == ids == explanations
    assert await listed(hers) == {
        records[dewi.id],
        records[ari.id],
    }  # for Budi an administrator acts


async def test_no_more_than_both_may(firm: Firm) -> None:
    made = await firm.company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(name="Reads", grants=[grant("contact", "read", OWN)])
        )
    )
    await firm.company.known("role", made.id)
    reader, reads = await firm.company.joined(role_ids=[made.id])
    ari, his = await firm.company.joined()
    of_ari, of_reader = await firm.contact(ari.id), await firm.contact(reader.id)
    absence = await firm.absent(ari.id, delegate_id=reader.id)
    found = await got(reads, of_ari.id)
    assert found is not None
    assert list(found.can) == ["read"]
    with pytest.raises(errors.PermissionDenied):
        await rename(reads, of_ari.id, "Mine")
    await firm.back(absence.id)
    await firm.absent(reader.id, delegate_id=ari.id)
    found = await got(his, of_reader.id)
    assert found is not None
    assert list(found.can) == ["read"], "the reader himself may not update it"
    told = await explained(firm, ari.id, reader.id, "update")
    assert (told.allowed, told.stands_in) == (False, True)
    assert told.text.endswith("stands in for the owner: that lets read and update what both may.")


async def test_what_is_personal_is_not_covered(firm: Firm) -> None:
    """API tokens and absences are their owner's own affair."""
    token = [grant("api_token", "*", OWN), grant("absence", "*", OWN)]
    made = await firm.company.stub.CreateRole(
        role_pb2.CreateRoleRequest(role=role_pb2.Role(name="Programs", grants=token))
    )
    await firm.company.known("role", made.id)
    ari, _ = await firm.company.joined(role_ids=[made.id])
    dewi, her = await firm.company.joined(role_ids=[made.id])
    theirs = await firm.company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(
            api_token=api_token_pb2.ApiToken(name="shop", owner_id=ari.id)
        )
    )
    await firm.absent(ari.id, delegate_id=dewi.id)
    stub = her.stub(IdentityServiceStub)
    page = await stub.ListApiTokens(api_token_pb2.ListApiTokensRequest())
    assert list(page.api_tokens) == []
    with pytest.raises(errors.NotFound):
        await stub.GetApiToken(api_token_pb2.GetApiTokenRequest(id=theirs.api_token.id))
