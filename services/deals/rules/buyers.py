"""How invoices name those who buy and sell. Pure."""

from collections.abc import Iterable
from typing import Any

from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from crm.deals.v1 import invoice_party_pb2, legal_entity_pb2
from crm.identity.v1 import tenant_pb2

InvoiceParty = invoice_party_pb2.InvoiceParty
LegalEntity = legal_entity_pb2.LegalEntity
Address = party_pb2.Address

FIRST_PAYMENT_DAYS = 14
"""How many days customers of a legal entity have that says nothing else."""

_OF_PERSON = (Address.KIND_BILLING, Address.KIND_HOME)
_OF_COMPANY = (Address.KIND_BILLING, Address.KIND_SEAT)
_LONGEST_NAME = 100


def of_party(object: str, party: Any) -> InvoiceParty:
    """A contact or company as an invoice names it; nothing is kept of one that is deleted."""
    if party.HasField("delete_time"):
        return InvoiceParty()
    return of_contact(party) if object == "contact" else of_company(party)


def of_contact(contact: contact_pb2.Contact) -> InvoiceParty:
    """A person as an invoice names him."""
    full = " ".join(filter(None, (contact.given_name, contact.family_name)))
    return _party(full or contact.display_name, contact, _OF_PERSON)


def of_company(company: company_pb2.Company) -> InvoiceParty:
    """A company as an invoice names it: as it is registered."""
    return _party(company.legal_name or company.name, company, _OF_COMPANY)


def _party(name: str, party: Any, kinds: Iterable[int]) -> InvoiceParty:
    made = InvoiceParty(name=name)
    if party.tax_numbers:
        made.tax_number = party.tax_numbers[0].number
    address = _address(party.addresses, kinds)
    if address is not None:
        town = " ".join(filter(None, (address.postal_code, address.city)))
        made.address_lines.extend(filter(None, (*address.lines, town, address.region)))
        made.country = address.country
    return made


def _address(addresses: Iterable[Any], kinds: Iterable[int]) -> Any | None:
    """The address of the first kind that there is; the first one where there is none of these."""
    known = list(addresses)
    for kind in kinds:
        for address in known:
            if address.kind == kind:
                return address
    return known[0] if known else None


def follow_company(entity: LegalEntity, tenant: tenant_pb2.Tenant) -> None:
    """Takes over the company's legal data."""
    legal, seller = tenant.legal, InvoiceParty()
    seller.name = legal.legal_name or tenant.name
    seller.address_lines.extend(legal.address_lines)
    seller.country, seller.tax_number = tenant.country, legal.tax_number
    seller.registration_number = legal.registration_number
    seller.email, seller.phone = legal.email, legal.phone
    for account in legal.bank_accounts:
        seller.bank_accounts.add(
            number=account.number, bank_name=account.bank_name,
            bank_code=account.bank_code, currency=account.currency,
        )  # fmt: skip
    entity.seller.CopyFrom(seller)


def first_entity(id: str, name: str, country: str) -> LegalEntity:
    """The company's own legal entity, as far as every service knows the company."""
    made = LegalEntity(id=id, name=name[:_LONGEST_NAME], follows_company=True)
    made.payment_days = FIRST_PAYMENT_DAYS
    made.seller.name, made.seller.country = name, country
    return made


def normalise(entity: LegalEntity, old: LegalEntity | None) -> None:
    """One spelling of the name; who changes it by hand ends that it follows the company's legal data."""
    entity.name = " ".join(entity.name.split())
    if not entity.HasField("payment_days"):
        entity.payment_days = FIRST_PAYMENT_DAYS
    entity.seller.name = entity.seller.name or entity.name
    if old is not None and (entity.seller, entity.name) != (old.seller, old.name):
        entity.follows_company = False
