"""Layouts: what can be laid out, and which layout applies."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import Violation
from crm.contacts.v1 import layout_pb2, party_pb2
from services.contacts import errors

Layout, Section = layout_pb2.Layout, layout_pb2.LayoutSection

NOT_LAID_OUT = frozenset(
    {"id", "etag", "create_time", "update_time", "delete_time", "can", "custom"}
)
"""Fields that are no content of a card."""

_PEOPLE = ("salutation", "given_name", "family_name", "display_name", "birthday", "position")
_DEFAULT: Mapping[str, Sequence[tuple[str, Sequence[str]]]] = {
    "contacts": (
        ("Person", (*_PEOPLE, "company_id")),
        ("Reach", ("phones", "emails", "addresses", "preferred_channel", "language", "time_zone")),
        ("Relationship", ("party_roles", "lifecycle_stage", "next_contact_date", "label_ids", "needs", "relations")),
        ("Origin", ("source_id", "referrer", "external_ids", "tax_numbers")),
        ("Responsibility", ("owner_id", "department_id", "follower_ids")),
    ),
    "companies": (
        ("Company", ("name", "legal_name", "industry", "employee_count", "website", "domains")),
        ("Reach", ("phones", "emails", "addresses", "preferred_channel", "language", "time_zone")),
        ("Relationship", ("party_roles", "lifecycle_stage", "next_contact_date", "label_ids", "needs", "relations")),
        ("Origin", ("source_id", "referrer", "external_ids", "tax_numbers")),
        ("Responsibility", ("owner_id", "department_id", "follower_ids")),
    ),
}  # fmt: skip
RESOURCES = tuple(_DEFAULT)
"""The resources whose cards can be laid out, by their plurals."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What the card of one resource may show: its standard fields, those of them that records need, and custom.<key>."""

    standard: frozenset[str]
    required: frozenset[str]
    custom: Sequence[str]

    @property
    def all(self) -> frozenset[str]:
        return self.standard | set(self.custom)


def check(layout: Layout, fields: Fields) -> None:
    """LayoutInvalid with every field that is unknown, shown twice, or both shown and switched off."""
    wrong: list[Violation] = []
    off, seen = set(layout.switched_off_fields), set[str]()
    for at, section in enumerate(layout.sections):
        section.title = " ".join(section.title.split())
        for number, name in enumerate(section.fields):
            place = f"sections[{at}].fields[{number}]"
            if name not in fields.all:
                wrong.append(Violation(place, f"{name!r} is not a field of {layout.resource}"))
            elif name in seen:
                wrong.append(Violation(place, f"{name!r} is shown twice"))
            elif name in off:
                wrong.append(Violation(place, f"{name!r} is switched off by the same layout"))
            seen.add(name)
    for at, name in enumerate(layout.switched_off_fields):
        place = f"switched_off_fields[{at}]"
        if name not in fields.standard:
            wrong.append(Violation(place, f"{name!r} is not a standard field of {layout.resource}"))
        elif name in fields.required:
            wrong.append(Violation(place, f"{name!r} cannot be switched off, records need it"))
    if wrong:
        raise errors.LayoutInvalid(wrong)


def check_resource(name: str) -> None:
    """LayoutInvalid for what has no card."""
    if name not in RESOURCES:
        known = ", ".join(RESOURCES)
        raise errors.LayoutInvalid(
            [Violation("resource", f"{name!r} has no layouts; known are {known}")]
        )


def applying(
    layouts: Iterable[Layout], role_ids: Collection[str], party_role: "party_pb2.PartyRole"
) -> Layout | None:
    """The most specific layout for such a party and a user with these roles; None if none is for them.

    A layout for one of the user's roles goes before one for all users, then one for the party's role before one for all
    parties; of several alike the newest applies.
    """
    fitting = [
        each
        for each in layouts
        if each.role_id in ("", *role_ids) and each.party_role in (0, party_role)
    ]
    return max(
        fitting, key=lambda each: (bool(each.role_id), bool(each.party_role), each.id), default=None
    )


def default_sections(resource: str, custom: Sequence[str]) -> list[Section]:
    """The layout that a tenant begins with: everything, its own fields last."""
    sections = [Section(title=title, fields=fields) for title, fields in _DEFAULT[resource]]
    return [*sections, Section(title="More", fields=custom)] if custom else sections


def shown(sections: Iterable[Section], fields: Fields, hidden: Collection[str]) -> list[Section]:
    """The sections without fields that are hidden from the caller or gone, and without those left empty."""
    kept = []
    for section in sections:
        names = [n for n in section.fields if n in fields.all and n not in hidden]
        if names:
            kept.append(Section(title=section.title, fields=names))
    return kept
