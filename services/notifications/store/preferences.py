"""How each wants to be told: one record a user, under his id, there once he has changed something."""

from sqlalchemy import Column, Uuid

from chassis.kit.columns import reference
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.notifications.v1 import notice_preferences_pb2
from services.notifications.store.schema import metadata

NoticePreferences = notice_preferences_pb2.NoticePreferences

preferences = Resource(
    NoticePreferences,
    metadata,
    table="notice_preferences",
    columns=[Column("owner_id", Uuid)],
    values=lambda one: {"owner_id": reference(one.owner_id)},
)


async def of_user(tx: Tx, user_id: str) -> NoticePreferences:
    """What he has said, or the beginning: as the rules say, without quiet hours."""
    found = await preferences.find(tx, user_id)
    return found or NoticePreferences(id=user_id, owner_id=user_id)
