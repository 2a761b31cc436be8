"""The metadata that all of identity's tables join."""

from sqlalchemy import MetaData

metadata = MetaData(info={"package": "crm.identity.v1"})
