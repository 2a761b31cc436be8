"""telephony's part when somebody asks for everything that is kept about him: his calls and recordings with all their versions."""

from typing import Any

from chassis import personal_data
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.telephony import store
from services.telephony.rules import privacy as rules
from services.telephony.store import moves, privacy


async def everything(tx: Tx, event: asked.PersonalDataRequested) -> personal_data.Content:
    """Table -> records that concern the contact, as they are and as they were."""
    ids = [event.contact_id, *event.merged_ids]
    content: dict[str, list[Any]] = {}
    call_ids = await privacy.unnamed(tx, ids)
    for object, resource in moves.FOLLOWING.items():
        rows = await privacy.concerning(tx, object, ids, call_ids)
        found = [resource.message.FromString(row["doc"]) for row in rows]
        # Where he is only one of those who have the number, the call may be another's.
        his = [each for each in found if each.id in call_ids or rules.is_about(each, ids, ())]
        if object == "recording":
            his = found
        content[str(resource.name)] = his
        content[f"{resource.name}_history"] = await privacy.versions(tx, object, [each.id for each in his])  # fmt: skip
        call_ids = [each.id for each in his]
    return content


handed_out = personal_data.Part(store.metadata, asked.PersonalDataRequested, everything)
