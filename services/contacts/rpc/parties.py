"""Contacts and companies: the standard methods with this service's rules."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import company_pb2, contact_pb2
from services.contacts import references, store, timers
from services.contacts.rpc.old_ids import answering_old_ids
from services.contacts.rules import contacts as rules


async def check_contact(tx: Tx, new: contact_pb2.Contact, old: contact_pb2.Contact | None) -> None:
    """Keeps I1, I2 and I3."""
    new.id = new.id or tx.new_id()
    if old is not None:
        rules.rename(new, old)
    rules.normalise_contact(
        new, region=tx.directory.tenant().get("country", ""), today=tx.now.date(), old=old
    )
    await references.check(tx, new, old)
    if list(new.external_ids) != (list(old.external_ids) if old else []):
        await store.claim_external_ids(tx, "contact", new)


async def check_company(tx: Tx, new: company_pb2.Company, old: company_pb2.Company | None) -> None:
    """Keeps I1, I2 and I3."""
    new.id = new.id or tx.new_id()
    rules.normalise_company(new, region=tx.directory.tenant().get("country", ""), old=old)
    await references.check(tx, new, old)
    if list(new.external_ids) != (list(old.external_ids) if old else []):
        await store.claim_external_ids(tx, "company", new)
    if old is not None and new.name != old.name:  # its people are found by the name
        await timers.refresh_people(tx, new.id)


async def release_contact(tx: Tx, contact: contact_pb2.Contact) -> None:
    """The ids in other systems become free with the deletion."""
    if contact.external_ids:
        await store.release_external_ids(tx, "contact", contact.id)


async def release_company(tx: Tx, company: company_pb2.Company) -> None:
    """The ids in other systems become free with the deletion."""
    if company.external_ids:
        await store.release_external_ids(tx, "company", company.id)


class Contacts(
    answering_old_ids(  # type: ignore[misc]
        standard(store.contacts, on_save=check_contact, on_delete=release_contact), store.contacts
    ),
    Servicer,  # type: ignore[misc]
):
    """`/v1/contacts`."""

    @writes
    async def UndeleteContact(
        self, request: contact_pb2.UndeleteContactRequest, tx: Tx
    ) -> contact_pb2.Contact:
        contact: contact_pb2.Contact = await super().UndeleteContact(request, tx)
        if contact.external_ids:
            await store.claim_external_ids(tx, "contact", contact)
        return contact


class Companies(
    answering_old_ids(  # type: ignore[misc]
        standard(store.companies, on_save=check_company, on_delete=release_company), store.companies
    ),
    Servicer,  # type: ignore[misc]
):
    """`/v1/companies`."""

    @writes
    async def UndeleteCompany(
        self, request: company_pb2.UndeleteCompanyRequest, tx: Tx
    ) -> company_pb2.Company:
        company: company_pb2.Company = await super().UndeleteCompany(request, tx)
        if company.external_ids:
            await store.claim_external_ids(tx, "company", company)
        return company
