"""The catalogue of what a company may switch off; every `permission.feature` of the contracts is here."""

FEATURES: dict[str, str] = {
    "contacts": "Persons and companies: cards, lists, search.",
    "requests": "Inbound requests: receiving, assigning, answering.",
    "forms": "Public forms on sites, and the requests that they bring.",
    "deals": "Deals, quotes, invoices, payments, commissions and plans.",
    "telephony": "Calls: who calls, missed calls, dialling, recordings.",
    "tasks": "Tasks and their deadlines, visits and results.",
    "notices": "What people are told: the feed, pushes and digests.",
    "comments": "What colleagues say to each other about records.",
    "timeline": "The timeline on each card.",
    "live": "Screens that follow changes as they happen.",
    "api_tokens": "Programs that work on behalf of users.",
    "custom_fields": "Fields that the company adds to records.",
    "saved_views": "Lists that people keep under a name.",
}
"""Key -> what stops when it is off. Order is the order of the settings page."""
