"""Layouts of cards."""

from typing import Any

from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.kit.custom import role_ids
from chassis.kit.resource import Resource
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import layout_pb2 as pb
from crm.options.v1 import options_pb2
from services.contacts import errors, store
from services.contacts.rules import layouts as rules

_CARDS: dict[str, Resource[Any]] = {"contacts": store.contacts, "companies": store.companies}


async def check_layout(tx: Tx, new: pb.Layout, old: pb.Layout | None) -> None:
    """Keeps I22: a layout names what the resource has, each once."""
    new.name = " ".join(new.name.split())
    rules.check_resource(new.resource)
    is_new_role = new.role_id and (old is None or new.role_id != old.role_id)
    if is_new_role and tx.directory.role(new.role_id) is None:
        raise errors.ReferenceUnknown([("role_id", f"role {new.role_id}")])
    fields = _fields(tx, _CARDS[new.resource])
    if _custom_in(new) - set(fields.custom):  # perhaps younger than what this process knows
        await tx.runtime.schemas.load(tx, again=True)
        fields = _fields(tx, _CARDS[new.resource])
    if old is not None:  # what the tenant has deleted since does not block other changes
        fields = _with(fields, old)
    rules.check(new, fields)


class Layouts(standard(store.layouts, on_save=check_layout), Servicer):  # type: ignore[misc]
    """`/v1/layouts`."""

    @reads
    async def GetEffectiveLayout(
        self, request: pb.GetEffectiveLayoutRequest, tx: Tx
    ) -> pb.EffectiveLayout:
        rules.check_resource(request.resource)
        resource = _CARDS[request.resource]
        fields = _fields(tx, resource)
        known_layouts = await store.all_layouts(tx, request.resource)
        found = rules.applying(known_layouts, role_ids(tx), request.party_role)
        sections = (
            found.sections if found else rules.default_sections(request.resource, fields.custom)
        )
        return pb.EffectiveLayout(
            resource=request.resource,
            layout_id=found.id if found else "",
            sections=rules.shown(sections, fields, _hidden(tx, resource, fields)),
            switched_off_fields=found.switched_off_fields if found else (),
        )


def _fields(tx: Tx, resource: Resource[Any]) -> rules.Fields:
    """What the resource has now, with the tenant's own fields in their order."""
    standard_, required = set(), set()
    for field in resource.message.DESCRIPTOR.fields:
        if field.name not in rules.NOT_LAID_OUT:
            standard_.add(field.name)
            if field.GetOptions().Extensions[options_pb2.rules].required:
                required.add(field.name)
    own = tx.runtime.schemas.known(tx.tenant, resource).fields
    custom = sorted(own, key=lambda key: (own[key].position, key))
    return rules.Fields(
        frozenset(standard_), frozenset(required), [f"custom.{key}" for key in custom]
    )


def _with(fields: rules.Fields, layout: pb.Layout) -> rules.Fields:
    gone = sorted(_custom_in(layout) - set(fields.custom))
    return rules.Fields(fields.standard, fields.required, [*fields.custom, *gone])


def _custom_in(layout: pb.Layout) -> set[str]:
    named = {name for section in layout.sections for name in section.fields}
    return {name for name in named if name.startswith("custom.")}


def _hidden(tx: Tx, resource: Resource[Any], fields: rules.Fields) -> frozenset[str]:
    """What neither the caller's roles nor his token show him."""
    hidden, readable = showing.hidden_of(tx, resource), tx.rights.readable
    if readable is None:
        return hidden
    read = {path.partition(".")[0] for path in readable.get(resource.object, ())}
    return hidden | {name for name in fields.all if name.partition(".")[0] not in read}


class LayoutsRpcs(Layouts):
    """Every RPC of the contract."""

    service = "crm.contacts.v1.LayoutsService"
