"""What descriptors cannot say about a valid request: what a reference names, and values beyond the declared rules."""

from typing import Any

KINDS = {
    "owner": "user", "follower": "user", "actor": "user", "head": "user", "deputy": "user", "delegate": "user", "program_owner": "user",
    "assignee": "user", "parent": "department", "type": "task_type", "referrer": "contact", "other_contact": "contact", "candidate": "contact",
    "mention_user": "user", "reply_to": "comment", "member": "user", "object": "contact",
    "default_ladder": "ladder", "method": "sales_method", "default_pipeline": "pipeline", "request_task_type": "task_type", "rule": "notice_rule", "photo_file": "file", "signature_file": "file", "logo_file": "file",
    "reason": "deal_reason", "from_request": "request", "mover_role": "role",
    "family": "product_family", "quantity_task": "task", "supersedes": "price_list", "advance": "invoice",
    "paid_stage": "stage", "next_stage": "stage", "proof_file": "file",
    "after_task": "task", "except_meeting": "meeting", "promise_task_type": "task_type",
    "connection": "telephone_connection", "inquiry": "request",
}  # fmt: skip
"""What a reference names, where its field is not called after it."""

OF_METHOD = {"ExplainAmount.id": "deal", "GetForecast.id": "pipeline", "GetPipelineStatistics.id": "pipeline", "CreateDealChange.deal_change.ids": "deal",
             "CreateDealChange.deal_change.label.add_ids": "label", "CreateDealChange.deal_change.label.remove_ids": "label",
             "CreateTaskChange.task_change.ids": "task", "IssueDataLink.id": "contact", "MergeContacts.merged_ids": "contact", "PreviewMergeContacts.merged_ids": "contact",
             "MergeCompanies.merged_ids": "company", "PreviewMergeCompanies.merged_ids": "company",
             "ListDuplicates.party_id": "contact", "ListMerges.party_id": "contact", "RecordConsent.consent.id": "contact",
             "GetRecordAccess.id": "contact", "RevokeSession.id": "session", "RevokeUserSession.id": "session", "UnlinkIdentity.id": "linked identity"}  # fmt: skip
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
    "Pipeline": {"key": "k#", "name": "P #", "stages": [{"key": "k#", "name": "S #"}]}, "DealReason": {"name": "R #", "kind": 1}, "SalesMethod": {"name": "M #"},
    "DealChange": {"filter": "state = OPEN", "label": {"add_ids": ["@contact"]}},
    "TaskChange": {"filter": "state = STATE_OPEN", "reschedule": {"shift_minutes": 15}},
    "Comment": {"object": "contact", "object_id": "@contact"},
    "Layout": {"resource": "contacts"}, "Segment": {"resource": "contacts", "filter": "NOT language = xx"}, "LayoutSection": {"fields": ["phones"]},
    "Phone": {"number": "+48512345678"}, "ExternalId": {"system": "s", "id": "#"}, "TaxNumber": {"country": "PL", "number": "5260001246"},
    "Product": {"sku": "S#", "name": "N #"}, "ProductFamily": {"name": "F #"}, "TaxRate": {"percent": "23"},
    "TaxClass": {"key": "k#", "name": "T #"},
    "PriceList": {"name": "L #", "prices": [{"product_id": "@product", "unit_price": "1"}]},
    "crm.deals.v1.Line": {"quantity": "1", "unit_price": "1"},
    "crm.telephony.v1.Line": {"number": "+4822%"}, "Extension": {"number": "%", "connection_id": "@telephone_connection"}, "Connection": {"name": "C #", "kind": 1, "retired": True},
    "Disposition": {"key": "k#", "name": "D #"}, "DialCallRequest": {"number": "+48512345678"}, "LookUpCallerRequest": {"number": "+48512345678"},
    "Contract": {"contact_id": "@contact"}, "Payment": {"amount": "100"}, "Allocation": {"amount": "1"}, "RefundPaymentRequest": {"amount": "1"},
    "PaymentProvider": {"name": "P #"}, "Carrier": {"name": "C #"},
    "CommissionPlan": {"name": "C #"}, "CommissionTerms": {"percent": "5"}, "SalesPlan": {"name": "S #", "target": "100", "period": 1},
    "CurrencyRate": {"currency": "EUR", "base_currency": "USD", "rate": "1.5"}, "ExplainAmountRequest": {"object": "deal"},
    "DataLink": {"fields": [{"field": "phones", "mode": 3}]},
    "Instalment": {"percent": "100"}, "NumberSeries": {"type": 1, "pattern": "F/{year}/{number}"},
}  # fmt: skip
"""A valid message of each type beyond its declared rules; # becomes something new each time, % seven digits of it, @contact the caller's own contact."""

IN_EACH_SERVICE = ("operation", "custom_field", "saved_view", "import")
"""Kinds of records that several services keep, each its own."""

HAS_CUSTOM_FIELDS = {
    "DealImportsService": "deals",
    "DealsService": "deals",
    "TasksService": "tasks",
    "TaskImportsService": "tasks",
    "CallImportsService": "calls",
}
"""Whose custom fields, views and imports a service keeps, where they are not those of contacts."""

NOT_IDS = {
    "request_id", "visitor_id", "crm.contacts.v1.ExternalId.id", "crm.deals.v1.DealExternalId.id",
    "crm.deals.v1.ProductExternalId.id", "crm.deals.v1.ShopOrder.id", "crm.deals.v1.GetOrderRequest.id",
}  # fmt: skip
"""Texts that end like ids and are keys made up elsewhere."""

ONE_IN_EACH_SERVICE = ("RepublishContacts", "RepublishTasks", "RepublishUsers", "RepublishNoticeRules", "RepublishDeals", "RepublishCalls")  # fmt: skip
"""By which each service has an operation."""

PARTS = {"Stage": "stage", "Line": "line", "Instalment": "instalment", "CommissionTerms": "commission_terms"}  # fmt: skip
"""What parts of records that have ids are called."""

TAKEN_BACK_BY = {"MatchBankStatementLine": "UndoBankStatementLine"}
"""Verbs that do something to the caller's own record once: what takes it back before the next call."""

NO_RECORDS = {
    "campaign": "no service keeps campaigns",
    "case": "no service keeps cases",
    "event": "what happened; nobody looks it up",
    "batch": "the operation that merged many; compared as an id that nobody has",
    "linked identity": "made by a sign-in at somebody else's: tests/service/identity/test_oidc.py",
    "commission_terms": "a part of a plan that nobody else names",
}
"""What a reference names of which the other company has no record, and why."""

ABOUT_OTHERS = ("CreateComment", "CreateContract", "CreateDelivery", "CreateExtension")
"""Made last: a comment is about a contact, contracts and deliveries are a deal's, an extension is of an exchange."""
