"""What descriptors cannot say about a valid request: what a reference names, and values beyond the declared rules."""

from typing import Any

KINDS = {
    "owner": "user", "follower": "user", "actor": "user", "head": "user", "deputy": "user", "delegate": "user", "program_owner": "user",
    "assignee": "user", "parent": "department", "type": "task_type", "referrer": "contact", "other_contact": "contact", "candidate": "contact",
    "mention_user": "user", "reply_to": "comment", "member": "user", "object": "contact",
    "default_ladder": "ladder", "request_task_type": "task_type", "rule": "notice_rule", "photo_file": "file", "signature_file": "file", "logo_file": "file",
}  # fmt: skip
"""What a reference names, where its field is not called after it."""

OF_METHOD = {"IssueDataLink.id": "contact", "MergeContacts.merged_ids": "contact", "PreviewMergeContacts.merged_ids": "contact",
             "MergeCompanies.merged_ids": "company", "PreviewMergeCompanies.merged_ids": "company"}  # fmt: skip
"""The same for single RPCs."""

_READ_CONTACT = {"object": "contact", "action": "read"}
VALUES: dict[str, dict[str, Any]] = {
    "GetRecordAccessRequest": {"object": "contact"}, "ExplainAccessRequest": _READ_CONTACT, "ListAccessRequest": _READ_CONTACT,
    "Import": {"resource": "contacts"},
    "NoticeRule": {"key": "k#", "name": "N #", "event_types": ["crm.tasks.v1.TaskDone"], "recipients": [2]}, "FindFreeSlotsRequest": {"duration_minutes": 30},
    "Contact": {"display_name": "Name #"}, "Request": {"text": "Windows", "email": "#@example.com"}, "Form": {"name": "F #"},
    "CustomField": {"resource": "contacts", "key": "k#", "label": "L", "type": 1},
    "SavedView": {"resource": "contacts", "label": "V #"}, "Role": {"name": "R #"}, "Department": {"name": "D #"},
    "User": {"name": "U #", "email": "#@example.com"}, "ApiToken": {"name": "T #"}, "Email": {"address": "#@example.com"},
    "Note": {"contact_id": "@contact"}, "Agreement": {"contact_id": "@contact"}, "Date": {"year": 2030, "month": 5, "day": 17},
    "TaskChange": {"filter": "state = STATE_OPEN", "reschedule": {"shift_minutes": 15}},
    "Comment": {"object": "contact", "object_id": "@contact"},
    "Layout": {"resource": "contacts"}, "Segment": {"resource": "contacts", "filter": "NOT language = xx"}, "LayoutSection": {"fields": ["phones"]},
    "Phone": {"number": "+48512345678"}, "ExternalId": {"system": "s", "id": "#"}, "TaxNumber": {"country": "PL", "number": "5260001246"},
}  # fmt: skip
"""A valid message of each type beyond its declared rules; # becomes something new each time, @contact the caller's own contact."""

IN_EACH_SERVICE = ("operation", "custom_field", "saved_view", "import")
"""Kinds of records that several services keep, each its own."""

HAS_CUSTOM_FIELDS = {"TasksService": "tasks", "TaskImportsService": "tasks"}
"""Whose custom fields, views and imports a service keeps, where they are not those of contacts."""
