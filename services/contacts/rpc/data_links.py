"""Personal links for colleagues: made, listed, ended; and what customers propose through them, approved or refused."""

from chassis import codec, keys
from chassis.call import Cause
from chassis.errors import PermissionDenied
from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import data_link_events_pb2 as events
from crm.contacts.v1 import data_link_pb2 as pb
from services.contacts import store, subjects, visitors
from services.contacts.rpc.data_page import DataPage
from services.contacts.rpc.parties import Contacts
from services.contacts.rules import data_links as rules
from services.contacts.rules.requests import user_of


class DataLinks(standard(store.data_links), Servicer):  # type: ignore[misc]
    """`/v1/dataLinks`."""

    @writes(secret_answer=True)
    async def IssueDataLink(
        self, request: pb.IssueDataLinkRequest, tx: Tx
    ) -> pb.IssueDataLinkResponse:
        assert tx.tenant is not None
        contact = await store.contacts.get(tx, request.id, action="update")
        await tx.require("data_link", "create", *store.contacts.scope_of_message(contact))
        asked = request.data_link
        link = pb.DataLink(
            id=tx.new_id(), contact_id=contact.id, author_id=user_of(tx.actor), fields=asked.fields,
            purposes=asked.purposes, language=asked.language,
            expire_time=asked.expire_time if asked.HasField("expire_time") else None,
        )  # fmt: skip
        await tx.runtime.schemas.load(tx, again=True)
        custom = tx.runtime.schemas.known(tx.tenant, store.contacts).fields
        known = {each.key for each in await store.purposes_of(tx, list(link.purposes))}
        rules.complete(link, custom, known, tx.now)
        showing.refuse_hidden(tx, store.contacts, [each.field for each in link.fields])
        await subjects.stand(tx, "data_link", link)
        key = keys.new_key(tx.tenant)
        await store.keep_key(tx, visitors.key_hash(key), link.id)
        store.data_links.save(tx, link)
        tx.emit(events.DataLinkIssued(data_link=link))
        return pb.IssueDataLinkResponse(data_link=link, key=key, path=f"/v1/public/data/{key}")

    @writes
    async def RevokeDataLink(self, request: pb.RevokeDataLinkRequest, tx: Tx) -> pb.DataLink:
        link = await store.data_links.get(tx, request.id, etag=request.etag)
        rules.revoke(link, tx.now)
        store.data_links.save(tx, link)
        tx.emit(events.DataLinkRevoked(data_link=link))
        return link


class DataChanges(standard(store.data_changes), Servicer):  # type: ignore[misc]
    """`/v1/dataChanges`."""

    @reads
    async def GetDataChangeValues(
        self, request: pb.GetDataChangeValuesRequest, tx: Tx
    ) -> pb.DataChangeValues:
        change = await store.data_changes.get(tx, request.id)
        await store.contacts.row(tx, change.contact_id)
        values = await store.values_of(tx, change.id)
        seen = {path for path in values if _may_see(tx, path)}
        return pb.DataChangeValues(
            values=[
                pb.DataChangeValue(
                    field=item.field, before=rules.as_value(values[item.field].before),
                    after=rules.as_value(values[item.field].after),
                )
                for item in change.items
                if item.field in seen
            ]
        )  # fmt: skip

    @writes
    async def ApproveDataChange(
        self, request: pb.ApproveDataChangeRequest, tx: Tx
    ) -> pb.DataChange:
        change = await store.data_changes.get(tx, request.id, etag=request.etag)
        items = rules.chosen(change, request.fields)
        contact = await store.contacts.get(tx, change.contact_id, action="update")
        values = await store.values_of(tx, change.id)
        patch, paths = rules.approve(items, values, codec.to_dict(contact))
        tx.cause = Cause("link", change.data_link_id)
        if paths:  # as any colleague's update: its checks, rights and event
            patch.id = contact.id
            update = contact_pb2.UpdateContactRequest(contact=patch)
            update.update_mask.paths.extend(paths)
            await Contacts.UpdateContact(self, update, tx)
        rules.close(change, by=user_of(tx.actor), at=tx.now)
        store.data_changes.save(tx, change)
        if paths:
            tx.emit(events.DataChangeApproved(data_change=change, approved_fields=paths))
        else:
            refused = [item.field for item in items]
            tx.emit(events.DataChangeRejected(data_change=change, rejected_fields=refused))
        return change

    @writes
    async def RejectDataChange(self, request: pb.RejectDataChangeRequest, tx: Tx) -> pb.DataChange:
        change = await store.data_changes.get(tx, request.id, etag=request.etag)
        items = rules.chosen(change, request.fields)
        rules.reject(items)
        rules.close(change, by=user_of(tx.actor), at=tx.now)
        store.data_changes.save(tx, change)
        refused = [item.field for item in items]
        tx.emit(events.DataChangeRejected(data_change=change, rejected_fields=refused))
        return change


def _may_see(tx: Tx, path: str) -> bool:
    """Whether the caller would be shown this field of a contact, whole."""
    try:
        showing.refuse_unreadable(tx, store.contacts, [path])
    except PermissionDenied:
        return False
    return True


class DataLinksRpcs(DataLinks, DataChanges, DataPage):
    """Every RPC of the contract."""

    service = "crm.contacts.v1.DataLinksService"
