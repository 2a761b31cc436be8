"""Whose records of this service are; the gateway makes explanations of rights of it."""

from chassis.handlers import Servicer
from chassis.kit.access import AccessRpcs


class Access(AccessRpcs, Servicer):
    """`/v1/recordAccess/contacts`."""

    service = "crm.contacts.v1.ContactsAccessService"
