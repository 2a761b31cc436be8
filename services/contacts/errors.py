"""What contacts refuses, each with its reason (reasons.proto)."""

from datetime import datetime

from chassis import errors
from chassis.errors import Violation


class ContactEmpty(errors.InvalidArgument):
    reason = "CONTACT_EMPTY"

    def __init__(self) -> None:
        super().__init__(
            "a contact needs at least one of: a name, a phone, an e-mail",
            [Violation("display_name", "give a name, a phone or an e-mail")],
        )


class ValuesInvalid(errors.InvalidArgument):
    """Wrong values of one record, all named at once; a subclass where all are wrong in the same way."""

    reason = "VALUES_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} value(s) cannot be accepted; see violations", violations
        )


class PhoneInvalid(ValuesInvalid):
    reason = "PHONE_INVALID"


class TaxNumberInvalid(ValuesInvalid):
    reason = "TAX_NUMBER_INVALID"


class ExternalIdTaken(errors.AlreadyExists):
    reason = "EXTERNAL_ID_TAKEN"

    def __init__(self, system: str, external_id: str, holder_id: str) -> None:
        super().__init__(
            f"the id {external_id!r} of {system!r} belongs to {holder_id}; an external id names one record",
            [Violation("external_ids", f"{system}: {external_id} is taken by {holder_id}")],
            metadata={"holder_id": holder_id},
        )


class ReferenceUnknown(errors.InvalidArgument):
    reason = "REFERENCE_UNKNOWN"

    def __init__(self, missing: list[tuple[str, str]]) -> None:
        super().__init__(
            "the record refers to what does not exist: " + ", ".join(value for _, value in missing),
            [Violation(field, f"there is no {value}") for field, value in missing],
        )


class KeyTaken(errors.AlreadyExists):
    reason = "KEY_TAKEN"

    def __init__(self, noun: str, field: str, detail: str = "") -> None:
        super().__init__(
            f"another {noun} has this {field}; choose another or change that one",
            [Violation(field, "must be unique")],
        )


class KeyFixed(errors.InvalidArgument):
    reason = "KEY_FIXED"

    def __init__(self, noun: str, key: str) -> None:
        super().__init__(
            f"the key {key!r} of a {noun} cannot change, rules and programs use it; change the name instead",
            [Violation("key", f"stays {key!r}")],
        )


class RequestEmpty(errors.InvalidArgument):
    reason = "REQUEST_EMPTY"

    def __init__(self) -> None:
        super().__init__(
            "a request needs at least one of: raw, text, name, phone, e-mail, contact_id",
            [Violation("text", "say what came in")],
        )


class RequestWrongState(errors.FailedPrecondition):
    reason = "REQUEST_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: list[str]) -> None:
        super().__init__(
            f"a request that is {state} cannot be {verb}; it must be {' or '.join(allowed)}",
            metadata={"state": state},
        )


class RequestNotSpam(errors.FailedPrecondition):
    reason = "REQUEST_NOT_SPAM"

    def __init__(self) -> None:
        super().__init__("this request was not closed as spam; use :reopen for other reasons")


class AssigneeNotActive(errors.FailedPrecondition):
    reason = "ASSIGNEE_NOT_ACTIVE"

    def __init__(self, user_id: str, field: str = "owner_id") -> None:
        super().__init__(
            f"{user_id} is not an active user; choose an active colleague",
            [Violation(field, "must be an active user")],
        )


class NobodyPresent(errors.FailedPrecondition):
    reason = "NOBODY_PRESENT"

    def __init__(self) -> None:
        super().__init__(
            "nobody whom the rule may choose is present now; name an owner or leave it in the queue",
            [Violation("by_rule", "nobody is active, not absent and inside working hours")],
        )


class FormClosed(errors.FailedPrecondition):
    reason = "FORM_CLOSED"

    def __init__(self) -> None:
        super().__init__("this form takes no requests at present")


class AnswersInvalid(errors.InvalidArgument):
    reason = "ANSWERS_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} answer(s) are missing or impossible; see violations", violations
        )


class SubmissionTooLarge(errors.InvalidArgument):
    reason = "SUBMISSION_TOO_LARGE"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"what was sent has {size} bytes, at most {limit} are taken; shorten it",
            [Violation("fields", f"at most {limit} bytes in all")],
        )


class OriginNotAllowed(errors.PermissionDenied):
    reason = "ORIGIN_NOT_ALLOWED"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"pages of {origin} may not send this form; add the site to the form's allowed origins"
        )


class FormRateLimited(errors.ResourceExhausted):
    reason = "FORM_RATE_LIMITED"

    def __init__(self, limit: int, now: datetime) -> None:
        super().__init__(
            f"more than {limit} requests in a minute from one address; try again in the next minute",
            retry_after_s=60 - now.second,
        )


# -- what stands on a contact, company or request ----------------------------------------------------------------------------


class SubjectMissing(errors.InvalidArgument):
    reason = "SUBJECT_MISSING"

    def __init__(self, noun: str, ends: list[str]) -> None:
        super().__init__(
            f"the {noun} stands on no record; set {' or '.join(ends)}",
            [Violation(ends[0], f"set exactly one of {', '.join(ends)}")],
        )


class SubjectFixed(errors.InvalidArgument):
    reason = "SUBJECT_FIXED"

    def __init__(self, noun: str, end: str, id: str) -> None:
        super().__init__(
            f"the {noun} stays on {end.removesuffix('_id')} {id}; write another one there instead",
            [Violation(end, f"stays {id}")],
        )


class NotYours(errors.PermissionDenied):
    reason = "NOT_YOURS"

    def __init__(self, noun: str, author: str) -> None:
        super().__init__(
            f"this {noun} is {author}'s; its author, who sees to it and who may change the record it stands on may do this"
        )


class AgreementWrongState(errors.FailedPrecondition):
    reason = "AGREEMENT_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"an agreement that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class LayoutInvalid(errors.InvalidArgument):
    reason = "LAYOUT_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)


class ConsentInvalid(errors.InvalidArgument):
    reason = "CONSENT_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)


class DataLinkInvalid(errors.InvalidArgument):
    reason = "DATA_LINK_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)


class DataLinkOver(errors.FailedPrecondition):
    reason = "DATA_LINK_OVER"

    def __init__(self) -> None:
        super().__init__("this personal link has ended already; issue a new one if it is needed")


class DataChangeDecided(errors.FailedPrecondition):
    reason = "DATA_CHANGE_DECIDED"

    def __init__(self, fields: list[str], waiting: list[str]) -> None:
        named = f"{', '.join(fields)} does not wait" if fields else "nothing waits"
        super().__init__(
            f"{named} for a decision; waiting: {', '.join(waiting) or 'none'}",
            [Violation("fields", f"{field} does not wait for a decision") for field in fields],
        )


class FieldNotOffered(errors.InvalidArgument):
    reason = "FIELD_NOT_OFFERED"

    def __init__(self, fields: list[str]) -> None:
        super().__init__(
            f"this link is not for {', '.join(fields)}; reload the page and send what it shows",
            [Violation(field, "is not offered by this link") for field in fields],
        )


class ProposalsTooMany(errors.ResourceExhausted):
    reason = "PROPOSALS_TOO_MANY"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} proposals of this link wait for approval already; try again when they are decided",
            retry_after_s=3600,
        )


class MergeOfOne(errors.FailedPrecondition):
    reason = "MERGE_OF_ONE"

    def __init__(self, object: str, survivor_id: str) -> None:
        super().__init__(
            f"these are one {object} already, {survivor_id}; name at least one other that lives",
            [Violation("merged_ids", f"leads to {survivor_id} only")],
            metadata={"survivor_id": survivor_id},
        )


class MergeChoiceUnknown(errors.InvalidArgument):
    reason = "MERGE_CHOICE_UNKNOWN"

    def __init__(self, wrong: list[Violation]) -> None:
        super().__init__(
            f"{wrong[0].field}: {wrong[0].description}; a choice names a field and one of the records",
            wrong,
        )


class MergeTooLarge(errors.FailedPrecondition):
    """What the records have together is more than one may have."""

    reason = "MERGE_TOO_LARGE"

    def __init__(self, wrong: list[Violation]) -> None:
        super().__init__(f"{wrong[0].field}: {wrong[0].description}", wrong)


class MergeTooWide(errors.FailedPrecondition):
    """Too many records refer to the merged ones."""

    reason = "MERGE_TOO_WIDE"

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(
            f"{count} records or more refer to those that would go, and one merge leads at most {limit} to the survivor;"
            " let the record with most of them survive, or merge fewer at once",
            [Violation("merged_ids", f"more than {limit} records refer to them")],
        )


class MergeUndone(errors.FailedPrecondition):
    reason = "MERGE_UNDONE"

    def __init__(self, merge_id: str) -> None:
        super().__init__(f"the merge {merge_id} was undone before; its records are several")


class MergeErased(errors.FailedPrecondition):
    reason = "MERGE_ERASED"

    def __init__(self, record_id: str) -> None:
        super().__init__(
            f"{record_id}, a record of this merge, was erased, so the merge cannot be undone; the survivor stays as it is",
            [Violation("id", f"the record {record_id} of this merge was erased")],
        )


class RecordMerged(errors.FailedPrecondition):
    reason = "RECORD_MERGED"

    def __init__(self, object: str, id: str, survivor_id: str, advice: str) -> None:
        super().__init__(
            f"the {object} {id} was merged into {survivor_id}; {advice}",
            metadata={"survivor_id": survivor_id},
        )


# -- segments ----------------------------------------------------------------------------------------------------------------


class SegmentInvalid(errors.InvalidArgument):
    reason = "SEGMENT_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)


class SegmentResourceFixed(errors.InvalidArgument):
    reason = "SEGMENT_RESOURCE_FIXED"

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"the segment holds {resource} and cannot hold other records; make another segment",
            [Violation("resource", f"stays {resource}")],
        )


class ErasureNotConfirmed(errors.InvalidArgument):
    reason = "ERASURE_NOT_CONFIRMED"

    def __init__(self) -> None:
        super().__init__(
            "the confirmation is not the contact's name; send its displayName letter for letter, as :previewErasure shows it",
            [Violation("confirmation", "must be the contact's displayName")],
        )


class ErasureUnderWay(errors.FailedPrecondition):
    reason = "ERASURE_UNDER_WAY"

    def __init__(self, contact_id: str) -> None:
        super().__init__(f"the contact {contact_id} is being erased already; see /v1/erasures")
