"""The metadata that all of identity's tables join."""

from sqlalchemy import DateTime, MetaData

metadata = MetaData(info={"package": "crm.identity.v1"})

Moment = DateTime(timezone=True)
