"""What deals refuses about deliveries; used as `errors.DeliveryTooMuch`."""

from chassis import errors
from chassis.errors import Violation


class DeliveryWrongState(errors.FailedPrecondition):
    reason = "DELIVERY_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a delivery that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class DeliveryTooMuch(errors.FailedPrecondition):
    reason = "DELIVERY_TOO_MUCH"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            "more would be delivered than the deal has; see violations, or change the deal first",
            violations,
        )


class DeliveryUnknown(errors.FailedPrecondition):
    reason = "DELIVERY_UNKNOWN"

    def __init__(self, reference: str, tracking_number: str) -> None:
        said = {"reference": reference, "tracking_number": tracking_number}
        super().__init__(
            "there is no delivery with this reference or tracking number; its id stands in reference, its number must be known here",
            [Violation(key, f"{text!r} is of no delivery") for key, text in said.items() if text],
        )


class DeliveryAmbiguous(errors.FailedPrecondition):
    reason = "DELIVERY_AMBIGUOUS"

    def __init__(self, tracking_number: str, count: int) -> None:
        super().__init__(
            f"{count} deliveries under way have the tracking number {tracking_number!r}; say the id of the one in reference",
            [Violation("tracking_number", f"is that of {count} deliveries under way; at most 1")],
        )
