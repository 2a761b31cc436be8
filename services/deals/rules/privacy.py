"""What is left of a record about a person who is erased: its figures, its way and its end, so that every count stays. Pure.

Numbers, amounts, dates, states and ids stay; a text goes unless it is named here, so that one that is added later goes too.
"""

from collections.abc import Collection, Mapping
from typing import Any

from google.protobuf.message import Message

from crm.common.v1 import common_pb2
from crm.options.v1 import options_pb2

ERASED_TITLE = "Erased"
"""Stands for a title, which a deal cannot be without."""

_KEPT_TEXTS = {
    "Allocation": {"number"},
    "Contract": {"etag"},
    "Deal": {"etag", "current_step", "following_step"},
    "BlockedMove": {"missing"},
    "Delivery": {"etag", "carrier"},
    "Ending": {"competitor"},
    "DeliveryItem": {"sku"},
    "Invoice": {"etag", "number", "credited_number"},
    "LastTouch": {"way"},
    "Line": {"sku", "unit"},
    "Participant": {"role"},
    # By its number a provider that tells of a payment again makes no second one of it.
    "Payment": {"etag", "provider_key", "provider_event_id"},
    # By its fingerprint a line that comes again is known.
    "BankStatementLine": {"etag", "fingerprint"},
    "MatchCandidate": {"number"},
    "Quote": {"etag", "number"},
    # By its number a shop that sends an order again makes no second deal of it.
    "ShopOrder": {"system", "id"},
    "Touch": {"utm_source", "utm_medium", "utm_campaign"},
}
"""Message -> texts that tell nothing of a customer."""
_KEPT_FORMATS = {
    options_pb2.FORMAT_UUID, options_pb2.FORMAT_DECIMAL, options_pb2.FORMAT_CURRENCY, options_pb2.FORMAT_KEY,
    options_pb2.FORMAT_TIME_ZONE, options_pb2.FORMAT_LANGUAGE, options_pb2.FORMAT_COUNTRY,
}  # fmt: skip
_OURS = {"seller"}
"""Parts of records that tell of the company itself."""
_KEPT_BY_LAW = {"invoice", "payment", "bank_statement_line"}
_FIGURES = {
    common_pb2.CUSTOM_FIELD_TYPE_NUMBER, common_pb2.CUSTOM_FIELD_TYPE_DECIMAL, common_pb2.CUSTOM_FIELD_TYPE_DATE,
    common_pb2.CUSTOM_FIELD_TYPE_CHOICE, common_pb2.CUSTOM_FIELD_TYPE_MULTI_CHOICE,
    common_pb2.CUSTOM_FIELD_TYPE_YES_NO,
}  # fmt: skip
"""Types of the tenant's own fields that hold no text."""


def anonymised(record: Any, ids: Collection[str], types: Mapping[str, int]) -> Any:
    """The record without anything that tells of these contacts; `types` are those of the tenant's own fields by their keys."""
    rest = type(record)()
    rest.CopyFrom(record)
    without(rest, ids)
    rest = _bare(rest, ids)
    if "title" in rest.DESCRIPTOR.fields_by_name:
        rest.title = ERASED_TITLE
    for key, value in getattr(record, "custom", {}).items():
        if types.get(key) in _FIGURES:
            rest.custom[key].CopyFrom(value)
    return rest


def must_be_kept(object: str, record: Any) -> bool:
    """True for what the law may want kept as it was written: not for drafts, which have no number yet."""
    return object in _KEPT_BY_LAW and getattr(record, "number", "kept") != ""


def without_reference(record: Any, ids: Collection[str]) -> Any:
    """The record as it was written, but no longer to be found by these contacts, and without colleagues' remarks."""
    rest = type(record)()
    rest.CopyFrom(record)
    if rest.contact_id in ids:
        rest.ClearField("contact_id")
    if "note" in rest.DESCRIPTOR.fields_by_name:
        rest.ClearField("note")
    return rest


def without(record: Any, ids: Collection[str]) -> None:
    """Takes these contacts out of those who take part."""
    taking_part = getattr(record, "participants", ())
    others = [each for each in taking_part if each.contact_id not in ids]
    if len(others) < len(taking_part):
        del record.participants[:]
        record.participants.extend(others)


def is_about(
    record: Any, ids: Collection[str], request_ids: Collection[str], deal_ids: Collection[str] = ()
) -> bool:
    """True if the record is made with one of these contacts or began with their requests, and they do not only take part.

    What names nobody else is about whom its deal is about.
    """
    began_with = getattr(record, "request_ids", ())
    if record.contact_id in ids or any(id in request_ids for id in began_with):
        return True
    return getattr(record, "deal_id", "") in deal_ids and not (
        record.contact_id or record.company_id
    )


def _bare(message: Any, ids: Collection[str]) -> Any:
    """A message of the same type with what may stay."""
    made = type(message)()
    for field, value in message.ListFields():
        if field.message_type is None:
            _keep_value(made, field, value, ids)
        elif field.message_type.GetOptions().map_entry:
            continue
        elif field.name in _OURS:
            getattr(made, field.name).CopyFrom(value)
        elif field.is_repeated:
            getattr(made, field.name).extend(_part(each, ids) for each in value)
        else:
            getattr(made, field.name).CopyFrom(_part(value, ids))
    return made


def _part(message: Message, ids: Collection[str]) -> Message:
    """A part of a record; moments and dates stay as they are."""
    is_own = message.DESCRIPTOR.file.package.startswith("crm.")
    return _bare(message, ids) if is_own else message  # type: ignore[no-any-return]


def _keep_value(made: Any, field: Any, value: Any, ids: Collection[str]) -> None:
    if field.type == field.TYPE_STRING and not _is_kept(field):
        return
    if field.is_repeated:
        getattr(made, field.name).extend(each for each in value if each not in ids)
    elif value not in ids:
        setattr(made, field.name, value)


def _is_kept(field: Any) -> bool:
    format = field.GetOptions().Extensions[options_pb2.rules].format
    return format in _KEPT_FORMATS or field.name in _KEPT_TEXTS.get(field.containing_type.name, ())
