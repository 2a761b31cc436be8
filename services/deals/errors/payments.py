"""What deals refuses about payments and bank statements; used as `errors.PaymentTooLarge`."""

from datetime import datetime

from chassis import errors
from chassis.errors import Violation


class PaymentWrongState(errors.FailedPrecondition):
    reason = "PAYMENT_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a payment that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class PaymentFixed(errors.FailedPrecondition):
    reason = "PAYMENT_FIXED"

    def __init__(self, fields: list[str]) -> None:
        super().__init__(
            f"what was paid stays: {', '.join(fields)} cannot change; use :allocate, :unallocate or :refund, or delete it",
            [Violation(field, "stays as it was paid") for field in fields],
        )


class PaymentTooLarge(errors.FailedPrecondition):
    reason = "PAYMENT_TOO_LARGE"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            "more would be paid than is left to pay; see violations, or accept it with over_payment_accepted",
            violations,
        )


class LineWrongState(errors.FailedPrecondition):
    reason = "LINE_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a line of a bank statement that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class StatementUnreadable(errors.InvalidArgument):
    reason = "STATEMENT_UNREADABLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"the bank statement cannot be taken: {why}", [Violation("file_id", why)])


class WebhookUnsigned(errors.Unauthenticated):
    """One and the same for an unknown key, a retired signer and a wrong signature."""

    reason = "WEBHOOK_UNSIGNED"

    def __init__(self) -> None:
        super().__init__(
            "the call is not signed by whom this address belongs to; see Akrab-Signature in the documentation"
        )


class WebhookStale(errors.InvalidArgument):
    reason = "WEBHOOK_STALE"

    def __init__(self, signed: int, now: int, most: int) -> None:
        super().__init__(
            f"it was signed at {signed}, it is {now} in seconds since 1970; at most {most} s may lie between, sign it again",
            [Violation("signature", f"{abs(now - signed)} s {'ago' if signed < now else 'to come'}")],
        )  # fmt: skip


class ProviderPaymentUnknown(errors.FailedPrecondition):
    reason = "PROVIDER_PAYMENT_UNKNOWN"

    def __init__(self) -> None:
        super().__init__(
            "this provider has told of no payment with this reference; send payment.received first, then this again",
            [Violation("reference", "is of no payment that was received")],
        )


class WebhookRateLimited(errors.ResourceExhausted):
    reason = "WEBHOOK_RATE_LIMITED"

    def __init__(self, limit: int, now: datetime) -> None:
        super().__init__(
            f"more than {limit} calls in a minute came from this address; try again in the next minute",
            retry_after_s=60 - now.second,
        )
