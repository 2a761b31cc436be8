"""The roles that every company begins with; it may change all but the administrator's."""

from dataclasses import dataclass

from services.identity.rules import ADMINISTRATOR

Row = dict[str, str]

READ, ALL = ("read",), ("*",)
_CUSTOMERS = ("contact", "company", "request")
_CATALOGUES = ("need", "label", "source", "form", "custom_field")
_COLLEAGUES = ("tenant", "user", "department", "role")


@dataclass(frozen=True, slots=True)
class BuiltInRole:
    """A role as data: its key, what people call it, its grants and hidden fields."""

    key: str
    name: str
    description: str
    grants: tuple[Row, ...]
    hidden: tuple[str, ...] = ()


def _rows(objects: tuple[str, ...], actions: tuple[str, ...], scope: str) -> tuple[Row, ...]:
    return tuple({"object": o, "action": a, "scope": scope} for o in objects for a in actions)


_EVERYBODY = (
    *_rows(_COLLEAGUES, READ, "all"),
    *_rows(_CATALOGUES, READ, "all"),
    *_rows(("saved_view",), ALL, "own"),
    *_rows(("saved_view",), READ, "all"),
    *_rows(("operation",), READ, "own"),
)

BUILT_IN: tuple[BuiltInRole, ...] = (
    BuiltInRole(ADMINISTRATOR, "Administrator", "Everything.", _rows(("*",), ALL, "all")),
    BuiltInRole(
        "head",
        "Head of department",
        "Everything with the customers of the department and those below it.",
        (
            *_EVERYBODY,
            *_rows(_CUSTOMERS, ALL, "subtree"),
            *_rows(_CATALOGUES, ALL, "all"),
            *_rows(("saved_view",), ALL, "all"),
        ),
        ("user.hourly_cost",),
    ),
    BuiltInRole(
        "salesperson",
        "Salesperson",
        "Own customers and requests; sees the department's queue.",
        (
            *_EVERYBODY,
            *_rows(_CUSTOMERS, ("read", "create", "update"), "own"),
            *_rows(("request",), ALL, "own"),
            *_rows(("request",), ("read", "assign"), "team"),
            *_rows(_CATALOGUES[:2], ("create",), "all"),
        ),
        ("user.hourly_cost",),
    ),
    BuiltInRole(
        "accountant",
        "Accountant",
        "Sees every customer and keeps what invoices need.",
        (
            *_EVERYBODY,
            *_rows(_CUSTOMERS, READ, "all"),
            *_rows(("company",), ("create", "update"), "all"),
        ),
    ),
    BuiltInRole(
        "observer",
        "Observer",
        "Sees every customer and changes nothing.",
        (*_EVERYBODY, *_rows(_CUSTOMERS, READ, "all")),
        ("user.hourly_cost", "contact.birthday"),
    ),
)
