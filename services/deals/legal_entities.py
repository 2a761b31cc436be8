"""The company's own legal entity: there as soon as something needs it, and in step with the company's legal data."""

from chassis.tx import Tx
from crm.deals.v1 import legal_entity_pb2
from crm.identity.v1 import tenant_pb2
from services.deals import errors, store
from services.deals.rules import buyers, numbering

LegalEntity = legal_entity_pb2.LegalEntity


async def own(tx: Tx) -> LegalEntity:
    """The company's own; made of what every service knows of the company if it is not there yet."""
    assert tx.tenant is not None
    if (known := await store.legal_entities.find(tx, tx.tenant)) is not None:
        return known
    await tx.lock("own-legal-entity")  # two first invoices at once would both make it
    if (known := await store.legal_entities.find(tx, tx.tenant)) is not None:
        return known
    company = tx.directory.tenant()
    made = buyers.first_entity(tx.tenant, company["name"], company["country"])
    numbering.complete(made, company["country"])
    store.legal_entities.save(tx, made)
    await tx.flush()
    return made


async def follow(tx: Tx, tenant: tenant_pb2.Tenant) -> None:
    """Takes over the company's legal data, unless somebody changed the entity here."""
    entity = await own(tx)
    if entity.follows_company:
        buyers.follow_company(entity, tenant)
        store.legal_entities.save(tx, entity)


async def issuing(tx: Tx, id: str) -> LegalEntity:
    """The entity that is to issue an invoice; LegalEntityNeeded if it is gone or retired."""
    found = await store.legal_entities.find(tx, id)
    if found is None:
        raise errors.LegalEntityNeeded("the legal entity of the draft was deleted; choose another in legal_entity_id")  # fmt: skip
    if found.retired:
        raise errors.LegalEntityNeeded(f"{found.name!r} is retired and issues nothing; choose another in legal_entity_id")  # fmt: skip
    return found


async def check(tx: Tx, new: LegalEntity, old: LegalEntity | None) -> None:
    """What a legal entity must be, however it is saved by hand."""
    buyers.normalise(new, old)
    country = new.seller.country or tx.directory.tenant()["country"]
    numbering.complete(new, country)


async def check_delete(tx: Tx, entity: LegalEntity) -> None:
    """The company's own stays: what names none is issued by it."""
    if entity.id == tx.tenant:
        raise errors.LegalEntityNeeded(
            "the company's own legal entity cannot be deleted; set retired to offer it no more"
        )
