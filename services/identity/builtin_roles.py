"""The roles that every company begins with; it may change all but the administrator's."""

from dataclasses import dataclass

from services.identity.rules import ADMINISTRATOR

Row = dict[str, str]

READ, ALL = ("read",), ("*",)
_CUSTOMERS = ("contact", "company", "request")
_CATALOGUES = ("need", "label", "source", "form", "custom_field", "layout", "consent_purpose")
_ON_CUSTOMERS = ("note", "agreement", "consent", "data_link", "data_change", "comment")
"""What stands on customers (comments also on what is done for them): read as far as they are, and written wherever it may be read."""
_TASK_CATALOGUES = ("task_type", "ladder", "task_settings")
"""What tasks are made of: everybody reads it, heads write it."""
_DEAL_CATALOGUES = (
    "pipeline", "deal_reason", "sales_method", "deal_settings",
    "product", "product_family", "tax_class", "price_list",
)  # fmt: skip
"""What deals are made of: everybody reads it, heads write it."""
_QUOTING = ("read", "create", "update", "submit", "send", "withdraw", "answer")
"""What somebody does with quotes of his deals; whether their discounts are allowed is decided by his head."""
_PHONE_CATALOGUES = ("line", "extension", "disposition", "telephony_settings")
"""By what is called, and how calls end: everybody reads it, heads write it but for what the company decides."""
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


_BESIDE_CUSTOMERS = (
    *_rows(("note", "agreement", "comment"), ("create", "update", "delete"), "all"),
    *_rows(("agreement",), ("settle",), "all"),
    *_rows(("consent", "data_link"), ("create",), "all"),
    *_rows(("data_link",), ("revoke",), "all"),
    *_rows(("data_change",), ("approve", "reject"), "all"),
)

_EVERYBODY = (
    *_rows(_COLLEAGUES, READ, "all"),
    *_rows((*_CATALOGUES, *_TASK_CATALOGUES, *_DEAL_CATALOGUES, *_PHONE_CATALOGUES), READ, "all"),
    *_rows(("saved_view",), ALL, "own"),
    *_rows(("saved_view",), READ, "all"),
    *_rows(("operation",), READ, "own"),
    # Who takes part reads a meeting as its follower.
    *_rows(("meeting",), ("read", "update", "delete"), "own"),
    *_rows(("meeting",), ("create", "answer"), "all"),
    *_rows(("calendar",), ("read", "share"), "own"),
    *_rows(("project",), READ, "own"),  # who takes part reads it as a follower
    # A feed is its owner's affair, and everybody has one; the rules behind it are no secret.
    *_rows(("notice", "notice_preferences"), ("read", "update"), "own"),
    *_rows(("notice_rule",), READ, "all"),
    *_rows(("legal_entity",), READ, "all"),
    *_rows(("currency_rate",), READ, "all"),
    # What he earned, his own plans, and those of his department as a whole, which nobody owns.
    *_rows(("commission", "sales_plan"), READ, "own"),
    *_rows(("push_subscription",), ("read", "create", "update", "delete"), "own"),
    *_rows(("absence",), ("read", "create", "update", "delete", "end"), "own"),
)

BUILT_IN: tuple[BuiltInRole, ...] = (
    BuiltInRole(ADMINISTRATOR, "Administrator", "Everything.", _rows(("*",), ALL, "all")),
    BuiltInRole(
        "head",
        "Head of department",
        "Everything with the customers of the department and those below it.",
        (
            *_EVERYBODY,
            *_rows((*_CUSTOMERS, "import"), ALL, "subtree"),
            *_rows(("duplicate", "merge"), ALL, "all"),
            *_rows(_ON_CUSTOMERS, READ, "subtree"),
            *_BESIDE_CUSTOMERS,
            *_rows(("user",), ("explain",), "subtree"),
            *_rows(("erasure",), READ, "all"),
            *_rows(("absence", "handover"), ALL, "subtree"),
            *_rows(("task", "meeting", "project"), ALL, "subtree"),
            *_rows(("task", "project"), ("create",), "all"),
            *_rows(("deal",), ALL, "subtree"),
            *_rows(("quote",), ALL, "subtree"),
            *_rows(("invoice",), ALL, "subtree"),
            *_rows(("payment",), ALL, "subtree"),
            *_rows(("contract", "delivery"), ALL, "subtree"),
            *_rows(("carrier",), ALL, "all"),
            *_rows(("sales_plan",), ALL, "subtree"),
            *_rows(("commission",), READ, "subtree"),
            *_rows(("commission_plan",), READ, "all"),
            *_rows(("task_change",), ALL, "own"),  # of tasks that he may assign or update
            *_rows(("deal_change",), ALL, "own"),  # of deals that he may move, assign or update
            *_rows(("call", "recording"), ALL, "subtree"),
            *_rows(
                (*_CATALOGUES, *_TASK_CATALOGUES, *_DEAL_CATALOGUES, *_PHONE_CATALOGUES), ALL, "all"
            ),
            *_rows(("saved_view", "segment", "notice_rule"), ALL, "all"),
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
            *_rows(("contact", "company"), ("merge",), "own"),
            *_rows(
                ("duplicate",), ("read", "dismiss"), "all"
            ),  # each pair only to who may read both
            *_rows(("merge",), ("read", "undo"), "all"),
            *_rows(_ON_CUSTOMERS, READ, "own"),
            *_BESIDE_CUSTOMERS,
            *_rows(("request", "import"), ALL, "own"),
            *_rows(("request",), ("read", "assign"), "team"),
            *_rows(
                ("task",), ("read", "update", "complete", "take", "assign"), "own"
            ),  # with the queue
            *_rows(("task",), ("create",), "all"),  # a task may be made for any colleague
            *_rows(("project",), ("create", "update", "delete"), "own"),
            *_rows(("deal",), ("read", "create", "update", "move", "assign"), "own"),
            *_rows(("quote",), _QUOTING, "own"),
            *_rows(("invoice",), READ, "own"),
            *_rows(("payment",), READ, "own"),
            *_rows(("contract", "delivery"), ("read", "create", "update"), "own"),
            *_rows(("call",), ("read", "update", "dial"), "own"),
            *_rows(
                ("recording",), READ, "own"
            ),  # that there is one; who listens is decided by the company
            *_rows(("task_change",), ALL, "own"),  # of tasks that he may assign or update
            *_rows(("deal_change",), ALL, "own"),  # of deals that he may move, assign or update
            *_rows(_CATALOGUES[:2], ("create",), "all"),
            *_rows(("segment",), ALL, "own"),
        ),
        ("user.hourly_cost",),
    ),
    BuiltInRole(
        "accountant",
        "Accountant",
        "Sees every customer and keeps what invoices need.",
        (
            *_EVERYBODY,
            *_rows((*_CUSTOMERS, *_ON_CUSTOMERS, "deal"), READ, "all"),
            *_rows(("quote", "contract", "delivery"), READ, "all"),
            *_rows(("invoice", "legal_entity"), ALL, "all"),
            *_rows(
                ("payment", "payment_provider", "bank_statement", "bank_statement_line"), ALL, "all"
            ),
            *_rows(("commission_plan", "currency_rate"), ALL, "all"),
            *_rows(("commission", "sales_plan"), READ, "all"),
            *_rows(("company",), ("create", "update"), "all"),
            *_rows(("note", "agreement", "comment"), ("create", "update", "delete"), "all"),
            *_rows(("agreement",), ("settle",), "all"),
        ),
    ),
    BuiltInRole(
        "observer",
        "Observer",
        "Sees every customer and changes nothing.",
        (
            *_EVERYBODY,
            *_rows((*_CUSTOMERS, *_ON_CUSTOMERS, "task", "meeting", "project"), READ, "all"),
        ),
        ("user.hourly_cost", "contact.birthday"),
    ),
)
