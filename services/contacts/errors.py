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

    def __init__(self, user_id: str) -> None:
        super().__init__(
            f"{user_id} is not an active user; choose an active colleague",
            [Violation("owner_id", "must be an active user")],
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
