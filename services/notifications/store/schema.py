"""What all tables of this service share."""

from sqlalchemy import MetaData

metadata = MetaData(info={"package": "crm.notifications.v1"})
