"""deals' part when somebody asks for everything that is kept about him: what names him, with all its versions."""

from typing import Any

from chassis import personal_data
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.deals import store
from services.deals.store import privacy


async def everything(tx: Tx, event: asked.PersonalDataRequested) -> personal_data.Content:
    """Table -> records that concern the contact, as they are and as they were."""
    ids = [event.contact_id, *event.merged_ids]
    content: dict[str, list[Any]] = {}
    for object, resource in privacy.naming().items():
        rows = await privacy.concerning(tx, object, ids)
        content[str(resource.name)] = [resource.message.FromString(row["doc"]) for row in rows]
        found = [str(row["id"]) for row in rows]
        content[f"{resource.name}_history"] = await privacy.versions(tx, object, found)
    return content


handed_out = personal_data.Part(store.metadata, asked.PersonalDataRequested, everything)
