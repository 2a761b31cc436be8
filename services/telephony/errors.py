"""What telephony refuses, each with its reason (reasons.proto)."""

from datetime import datetime

from chassis import errors
from chassis.errors import Violation


class ValuesInvalid(errors.InvalidArgument):
    """Wrong values of one record, all named at once."""

    reason = "VALUES_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} value(s) cannot be accepted; see violations", violations
        )


class ReferenceUnknown(errors.InvalidArgument):
    reason = "REFERENCE_UNKNOWN"

    def __init__(self, field: str, value: str) -> None:
        super().__init__(
            f"the record refers to what does not exist: {value}",
            [Violation(field, f"there is no {value}")],
        )


class NumberTaken(errors.AlreadyExists):
    reason = "NUMBER_TAKEN"

    def __init__(self) -> None:
        super().__init__(
            "another line has this number; change that one or retire it",
            [Violation("number", "must be unique")],
        )


class ExtensionTaken(errors.AlreadyExists):
    reason = "EXTENSION_TAKEN"

    def __init__(self) -> None:
        super().__init__(
            "another extension of this exchange has this number; change that one or retire it",
            [Violation("number", "must be unique within the exchange")],
        )


class NameTaken(errors.AlreadyExists):
    reason = "NAME_TAKEN"

    def __init__(self, noun: str, field: str) -> None:
        super().__init__(
            f"another {noun} has this {field}; choose another or change that one",
            [Violation(field, "must be unique")],
        )


class Fixed(errors.InvalidArgument):
    reason = "FIXED"

    def __init__(self, noun: str, field: str, value: str) -> None:
        super().__init__(
            f"the {field} {value!r} of a {noun} cannot change; make another {noun} instead",
            [Violation(field, f"stays {value!r}")],
        )


class NotANumber(errors.InvalidArgument):
    reason = "NOT_A_NUMBER"

    def __init__(self, field: str, value: str, country: str) -> None:
        super().__init__(
            f"{value!r} is no telephone number in {country}; write it with its country, e.g. +48 600 100 200",
            [Violation(field, "must be a telephone number")],
        )


class NoExtension(errors.FailedPrecondition):
    reason = "NO_EXTENSION"

    def __init__(self) -> None:
        super().__init__(
            "you have no extension at a telephone exchange that could ring; an administrator gives you one at /v1/extensions"
        )


class CallWrongState(errors.FailedPrecondition):
    reason = "CALL_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a call that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class NotPossibleHere(errors.FailedPrecondition):
    reason = "NOT_POSSIBLE_HERE"

    def __init__(self, what: str) -> None:
        super().__init__(f"this telephone exchange cannot {what}")


class SimulatorOff(errors.FailedPrecondition):
    reason = "SIMULATOR_OFF"

    def __init__(self) -> None:
        super().__init__(
            "a telephone exchange is connected, so the simulated one is off; retire the others to play with it"
        )


class SignatureWrong(errors.Unauthenticated):
    reason = "SIGNATURE_WRONG"

    def __init__(self) -> None:
        super().__init__(
            "the signature is not that of this address's exchange: HMAC-SHA256 of '<t>.<body>' with its secret"
        )


class SignatureStale(errors.Unauthenticated):
    reason = "SIGNATURE_STALE"

    def __init__(self, most_s: int) -> None:
        super().__init__(
            f"the signature's time is more than {most_s} s away from ours; sign anew when sending"
        )


class WebhookRateLimited(errors.ResourceExhausted):
    reason = "WEBHOOK_RATE_LIMITED"

    def __init__(self, limit: int, now: datetime) -> None:
        super().__init__(
            f"more than {limit} calls in a minute came from this address; try again in the next minute",
            retry_after_s=60 - now.second,
        )


class EventInvalid(errors.InvalidArgument):
    reason = "EVENT_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} value(s) of the events cannot be read; see violations", violations
        )


class NoSound(errors.FailedPrecondition):
    reason = "NO_SOUND"

    def __init__(self, state: str) -> None:
        super().__init__(f"the recording is {state}: there is nothing to listen to")


class RecordingHeld(errors.FailedPrecondition):
    reason = "RECORDING_HELD"

    def __init__(self) -> None:
        super().__init__(
            "the recording is held for a legal reason and its sound cannot be deleted; end the hold first",
            [Violation("held", "must be false")],
        )


class DispositionIncomplete(errors.InvalidArgument):
    reason = "DISPOSITION_INCOMPLETE"

    def __init__(self, name: str, violations: list[Violation]) -> None:
        super().__init__(f"the disposition {name!r} needs more to be said", violations)


class AddressRefused(errors.InvalidArgument):
    reason = "ADDRESS_REFUSED"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"this address is not called: {why}", [Violation(field, why)])


class NoCards(errors.InvalidArgument):
    reason = "NO_CARDS"

    def __init__(self) -> None:
        super().__init__(
            "calls cannot be written as vCards, which hold people; ask for CSV or XLSX",
            [Violation("format", "must be FILE_FORMAT_CSV or FILE_FORMAT_XLSX")],
        )
