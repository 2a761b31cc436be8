"""contacts' RPCs, by what they are about."""

from chassis.kit.shared_rpcs import OperationRpcs, custom_field_rpcs, saved_view_rpcs
from services.contacts import store
from services.contacts.rpc.catalogues import Labels, Needs, Sources
from services.contacts.rpc.forms import Forms, Intake
from services.contacts.rpc.overview import Overview
from services.contacts.rpc.parties import Companies, Contacts
from services.contacts.rpc.requests import Requests
from services.contacts.rpc.timeline import Timeline


class ContactsRpcs(
    Contacts, Companies, Requests, Forms, Intake, Sources, Needs, Labels, Timeline, Overview,
    custom_field_rpcs(store.custom_fields), saved_view_rpcs(store.saved_views), OperationRpcs,  # type: ignore[misc]
):  # fmt: skip
    """Every RPC of the contract."""

    service = "crm.contacts.v1.ContactsService"
