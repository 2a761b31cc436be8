"""The door through which a customer completes or corrects his data by his personal link: anybody may call.

A key that is wrong, ended, revoked or of nobody's gets one and the same answer, so nobody learns which it was.
"""

from chassis import codec, keys, strangers
from chassis.call import Actor, Cause
from chassis.errors import NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.kit import custom
from chassis.tx import Tx
from crm.common.v1 import common_pb2
from crm.contacts.v1 import consent_pb2, contact_pb2, data_link_events_pb2
from crm.contacts.v1 import data_link_pb2 as links
from crm.contacts.v1 import data_page_pb2 as pb
from services.contacts import consents, errors, store, subjects, visitors
from services.contacts.rules import consents as consent_rules
from services.contacts.rules import contacts as contact_rules
from services.contacts.rules import data_links as rules

Contact, DataLink = contact_pb2.Contact, links.DataLink
DataChange, DataChangeItem = links.DataChange, links.DataChangeItem
RATE_LIMIT = 10
"""Proposals that one address may send through one link in a minute."""


def tenant_of(request: pb.GetPublicDataRequest | pb.ProposeDataChangeRequest) -> str:
    """The tenant that the link's key names."""
    try:
        return keys.tenant_of(request.key)
    except NotFound:
        raise _absent() from None


class DataPage(Servicer):
    """`/v1/public/data/{key}`."""

    @reads(tenant=tenant_of)
    async def GetPublicData(self, request: pb.GetPublicDataRequest, tx: Tx) -> pb.PublicData:
        link, contact = await _open(tx, request.key)
        json = codec.to_dict(contact)
        schema = tx.runtime.schemas.known(tx.tenant, store.contacts).fields
        tenant = tx.directory.tenant()
        language = link.language or contact.language or tenant.get("language", "")
        return pb.PublicData(
            asked_by=tenant.get("name", ""), language=language, expire_time=link.expire_time,
            fields=[_field(each, json, schema) for each in rules.visible(link, json)],
            consents=await _purposes(tx, link, contact, [language, tenant.get("language", "")]),
        )  # fmt: skip

    @writes(tenant=tenant_of)
    async def ProposeDataChange(
        self, request: pb.ProposeDataChangeRequest, tx: Tx
    ) -> pb.ProposeDataChangeResponse:
        link, contact = await _open(tx, request.key)
        tx.actor, tx.cause = Actor("link", link.id), Cause("link", link.id)
        await visitors.count(tx, link.id, RATE_LIMIT)
        said = await _consent(tx, link, contact, request)
        before = codec.to_dict(contact)
        mask = list(request.update_mask.paths)
        paths = rules.proposed_paths(link, before, request.contact, mask)
        after = await _wanted(tx, contact, request.contact, paths)
        values = rules.differences(paths, before, codec.to_dict(after))
        if values:
            await _propose(tx, link, values)
        return pb.ProposeDataChangeResponse(waiting_fields=list(values), consent_count=said)


def _absent() -> NotFound:
    return NotFound("there is nothing at this address; ask whoever sent it to you for a new one")


async def _open(tx: Tx, key: str) -> tuple[DataLink, Contact]:
    """The working link of the key, and its person."""
    link = await store.find_link(tx, visitors.key_hash(key))
    if link is None or not rules.works(link, tx.now):
        raise _absent()
    contact = await store.contacts.find(tx, link.contact_id)
    if contact is None:
        raise _absent()
    return link, contact


async def _wanted(tx: Tx, contact: Contact, sent: Contact, paths: list[str]) -> Contact:
    """The contact as the person wants it, in the form in which it would be kept; refused like any wrong value."""
    wanted = Contact()
    wanted.CopyFrom(contact)
    codec.merge(wanted, sent, paths)
    region = tx.directory.tenant().get("country", "")
    contact_rules.normalise_contact(wanted, region=region, today=tx.now.date())
    await custom.check_values(tx, store.contacts, wanted, contact)
    return wanted


async def _propose(tx: Tx, link: DataLink, values: dict[str, rules.Proposal]) -> None:
    await tx.lock(f"data_link/{link.id}")  # so that the count holds
    if await store.waiting_changes(tx, link.id) >= rules.MOST_WAITING:
        raise errors.ProposalsTooMany(rules.MOST_WAITING)
    change = DataChange(
        id=tx.new_id(), contact_id=link.contact_id, data_link_id=link.id,
        state=DataChange.STATE_PROPOSED,
        items=[DataChangeItem(field=field, state=DataChangeItem.STATE_WAITING) for field in values],
    )  # fmt: skip
    await subjects.stand_still(tx, "data_change", change)
    await store.keep_values(tx, change, values)
    store.data_changes.save(tx, change)
    tx.emit(data_link_events_pb2.DataChangeProposed(data_change=change))


async def _consent(
    tx: Tx, link: DataLink, contact: Contact, request: pb.ProposeDataChangeRequest
) -> int:
    """Writes down what the person says to the purposes of his link; these are his own acts."""
    asked = {choice.purpose: choice.given for choice in request.consents}
    if foreign := [key for key in asked if key not in link.purposes]:
        raise errors.FieldNotOffered([f"consents.{key}" for key in foreign])
    states = await _states(tx, contact) if asked else []
    news = [key for key, given in asked.items() if consent_rules.is_news(states, key, given)]
    found = await store.purposes_of(tx, news)
    for purpose in found:
        await consents.note_act(
            tx, contact.id, purpose.key, given=asked[purpose.key],
            source=consent_pb2.CONSENT_SOURCE_LINK, text_version=purpose.text_version,
            proof=f"data_link {link.id}, sender {strangers.address_hash(tx, link.id)}",
        )  # fmt: skip
    return len(found)


async def _states(tx: Tx, contact: Contact) -> list[consent_rules.State]:
    return consent_rules.effective(await store.consent_entries_of(tx, contact.id))


def _field(
    each: links.DataLinkField, contact: rules.Json, schema: rules.CustomFields
) -> pb.PublicDataField:
    own = (
        schema.get(each.field.removeprefix("custom.")) if each.field.startswith("custom.") else None
    )
    shown = pb.PublicDataField(field=each.field, mode=each.mode)
    if (value := rules.value_of(contact, each.field)) is not None:
        shown.value.CopyFrom(rules.as_value(value))
    if own is not None:
        shown.label, shown.choices[:] = own.label, own.choices
        shown.custom_type = common_pb2.CustomFieldType.Name(own.type)
    return shown


async def _purposes(
    tx: Tx, link: DataLink, contact: Contact, languages: list[str]
) -> list[pb.PublicDataConsent]:
    found = await store.purposes_of(tx, list(link.purposes))
    states = await _states(tx, contact) if found else []
    return [
        pb.PublicDataConsent(
            purpose=each.key, name=each.name, text=consent_rules.text_for(each, [tag for tag in languages if tag]),
            text_version=each.text_version, given=consent_rules.holds_everywhere(states, each.key),
        )
        for each in found
        if not each.retired
    ]  # fmt: skip
