"""Custom fields: the schema that a tenant adds to a resource, its checks, and what roles see of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import Value
from sqlalchemy import Column, Index, MetaData, Text

from chassis import codec, errors
from chassis.errors import Violation
from chassis.kit import custom_types
from chassis.kit import files as kit_files
from chassis.kit.filter import Field
from chassis.tx import Tx
from crm.common.v1 import common_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

MOST_FIELDS = 100  # per resource and tenant: as many keys as a map in a request may have


class CustomFieldInvalid(errors.InvalidArgument):
    """Values that do not fit the tenant's custom fields."""

    reason = "CUSTOM_FIELD_INVALID"


class CustomFieldFixed(errors.FailedPrecondition):
    """Key, type and resource of a custom field never change: values of the old kind are stored."""

    reason = "CUSTOM_FIELD_FIXED"


class CustomFieldsTooMany(errors.FailedPrecondition):
    """The resource has as many custom fields as it may have."""

    reason = "CUSTOM_FIELDS_TOO_MANY"

    def __init__(self, plural: str) -> None:
        super().__init__(
            f"{plural} have {MOST_FIELDS} custom fields, the most allowed; delete one first"
        )


@dataclass(frozen=True)
class Schema:
    """The living custom fields of one resource of one tenant, by key."""

    fields: Mapping[str, pb.CustomField]

    @cached_property
    def filters(self) -> dict[str, Field]:
        """What lists may filter by."""
        return {key: _filter_of(field) for key, field in self.fields.items() if field.filterable}

    @cached_property
    def is_limited(self) -> bool:
        """True if some field is for some roles only."""
        return any(field.role_ids for field in self.fields.values())

    def hidden_from(self, role_ids: frozenset[str]) -> frozenset[str]:
        """Paths of fields that none of these roles may see."""
        return frozenset(
            f"custom.{key}"
            for key, f in self.fields.items()
            if f.role_ids and not role_ids.intersection(f.role_ids)
        )


EMPTY = Schema({})

_FILTER_KINDS = {
    pb.CUSTOM_FIELD_TYPE_TEXT: "custom_text",
    pb.CUSTOM_FIELD_TYPE_NUMBER: "custom_number",
    pb.CUSTOM_FIELD_TYPE_DECIMAL: "custom_decimal",
    pb.CUSTOM_FIELD_TYPE_DATE: "custom_date",
    pb.CUSTOM_FIELD_TYPE_CHOICE: "custom_choice",
    pb.CUSTOM_FIELD_TYPE_MULTI_CHOICE: "custom_choices",
    pb.CUSTOM_FIELD_TYPE_YES_NO: "custom_bool",
    pb.CUSTOM_FIELD_TYPE_REFERENCE: "custom_reference",
    pb.CUSTOM_FIELD_TYPE_FILE: "custom_reference",
}


def _filter_of(field: pb.CustomField) -> Field:
    choices = {c: c for c in field.choices} or None
    return Field("custom", _FILTER_KINDS[field.type], enum=choices, sortable=True)  # type: ignore[arg-type]


def custom_fields(metadata: MetaData) -> "Resource[pb.CustomField]":
    """The resource that holds a service's custom fields; a service with custom fields declares it once in its store."""
    from chassis.kit.resource import Resource

    made = Resource(
        pb.CustomField,
        metadata,
        table="custom_fields",
        columns=[Column("resource", Text, nullable=False), Column("key", Text, nullable=False)],
        values=lambda f: {"resource": f.resource, "key": f.key},
        items=[
            Index(
                "uq_custom_fields_key",
                "tenant_id",
                "resource",
                "key",
                unique=True,
                postgresql_where=_living(),
            ),
        ],
        fields={"resource": Field("resource", "text"), "key": Field("key", "text", sortable=True)},
        constraints={
            "uq_custom_fields_key": errors.AlreadyExists(
                "this resource has a custom field with this key already; choose another key",
                [Violation("key", "is taken")],
            )
        },
    )
    metadata.info["custom_fields"] = made
    return made


def _living() -> Any:
    from sqlalchemy import text

    return text("delete_time IS NULL")


class Schemas:
    """The custom schemas of a service, remembered until the tenant's directory changes."""

    def __init__(self, source: "Resource[pb.CustomField] | None") -> None:
        """`source` holds the service's custom fields; None for a service without any."""
        self._source = source
        self._living = source.select() if source is not None else None
        self._known: dict[str, tuple[int, dict[str, Schema]]] = {}

    async def load(self, tx: Tx, *, again: bool = False) -> None:
        """Has the tenant's schemas at hand; the database is read only if the directory has changed since, or `again`.

        Every request begins with it: what roles may not see must be known before anything is answered.
        """
        if self._source is None or self._living is None or tx.tenant is None:
            return
        revision, known = tx.runtime.directory.revision(tx.tenant), self._known.get(tx.tenant)
        if again or known is None or known[0] != revision:
            found: dict[str, dict[str, pb.CustomField]] = {}
            for row in await tx.fetch(self._living):
                field = self._source.message.FromString(row["doc"])
                found.setdefault(field.resource, {})[field.key] = field
            self._known[tx.tenant] = (
                revision,
                {name: Schema(fields) for name, fields in found.items()},
            )

    def known(self, tenant: str | None, resource: "Resource[Any]") -> Schema:
        """What was loaded last; empty if nothing was."""
        return self._known.get(tenant or "", (0, {}))[1].get(resource.plural, EMPTY)


async def check_values(
    tx: Tx,
    resource: "Resource[Any]",
    new: Any,
    old: Any | None,
    files: frozenset[str] = frozenset(),
) -> None:
    """CustomFieldInvalid with every value that does not fit, every unknown key and every required one that is missing.

    `files` are those that may be set besides the ones that `old` holds (`kit.files.uploaded`).
    """
    schemas: Schemas = tx.runtime.schemas
    await schemas.load(tx)
    if new.custom.keys() - schemas.known(tx.tenant, resource).fields.keys():
        await schemas.load(tx, again=True)
    schema, found = schemas.known(tx.tenant, resource), []
    files |= kit_files.held_in_custom(schema.fields, old)
    for key, value in new.custom.items():
        field = schema.fields.get(key)
        if old is not None and key in old.custom and old.custom[key] == value:
            continue  # what is stored already stays, whatever became of the schema since
        if field is None:
            found.append(
                Violation(
                    f"custom.{key}",
                    f"is unknown; the custom fields are {', '.join(schema.fields) or 'none'}",
                )
            )
        elif problem := (
            custom_types.problem(field.type, field.choices, codec.to_dict(value))
            or kit_files.problem(field, value, files)
        ):
            found.append(Violation(f"custom.{key}", problem))
    hidden = resource.hidden_custom(tx)  # what a role may not see it need not fill in
    for key, field in schema.fields.items():
        if (
            not field.required
            or f"custom.{key}" in hidden
            or (old is not None and key not in old.custom)
        ):
            continue
        if key not in new.custom or _is_empty(new.custom[key]):
            found.append(Violation(f"custom.{key}", "is required"))
    if found:
        raise CustomFieldInvalid(f"{found[0].field}: {found[0].description}", found)


def _is_empty(value: Value) -> bool:
    given: Any = codec.to_dict(value)  # a Value becomes whatever it holds
    return given in (None, "", [])


async def check_definition(tx: Tx, new: pb.CustomField, old: pb.CustomField | None) -> None:
    """What a custom field's definition must satisfy; announces it, so that every process reads the schema again."""
    found = []
    known = {r.plural for r in tx.runtime.resources.values() if r.has_custom}
    if new.resource not in known:
        found.append(
            Violation(
                "resource",
                f"{new.resource!r} has no custom fields; {', '.join(sorted(known))} have",
            )
        )
    if new.type in custom_types.CHOOSING and not new.choices:
        found.append(Violation("choices", "is required for a choice"))
    if len(set(new.choices)) != len(new.choices):
        found.append(Violation("choices", "names a choice twice"))
    if found:
        raise CustomFieldInvalid(f"{found[0].field}: {found[0].description}", found)
    if old is None and await _count(tx, new.resource) >= MOST_FIELDS:
        raise CustomFieldsTooMany(new.resource)
    if old is not None and (new.key, new.type, new.resource) != (old.key, old.type, old.resource):
        raise CustomFieldFixed(
            "key, type and resource of a custom field cannot be changed; delete it and make a new one",
            [Violation("update_mask", "may not name key, type or resource")],
        )
    announce(tx, new)


async def _count(tx: Tx, plural: str) -> int:
    await tx.runtime.schemas.load(tx, again=True)
    resource = next(r for r in tx.runtime.resources.values() if r.plural == plural)
    return len(tx.runtime.schemas.known(tx.tenant, resource).fields)


def announce(tx: Tx, field: pb.CustomField) -> None:
    """Tells every process that the tenant's schema has changed."""
    tx.directory_put(
        "custom_field", f"{field.resource}-{field.key}", {"changed": tx.now.isoformat()}
    )


def role_ids(tx: Tx) -> frozenset[str]:
    """The caller's roles."""
    user = tx.directory.user(tx.rights.user_id) if tx.rights.user_id else None
    return frozenset((user or {}).get("role_ids", ()))
