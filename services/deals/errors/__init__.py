"""What deals refuses, each with its reason (reasons.proto)."""

from datetime import datetime

from chassis import errors
from chassis.errors import Violation
from services.deals.errors.deliveries import DeliveryAmbiguous as DeliveryAmbiguous
from services.deals.errors.deliveries import DeliveryTooMuch as DeliveryTooMuch
from services.deals.errors.deliveries import DeliveryUnknown as DeliveryUnknown
from services.deals.errors.deliveries import DeliveryWrongState as DeliveryWrongState
from services.deals.errors.payments import LineWrongState as LineWrongState
from services.deals.errors.payments import PaymentFixed as PaymentFixed
from services.deals.errors.payments import PaymentTooLarge as PaymentTooLarge
from services.deals.errors.payments import PaymentWrongState as PaymentWrongState
from services.deals.errors.payments import ProviderPaymentUnknown as ProviderPaymentUnknown
from services.deals.errors.payments import StatementUnreadable as StatementUnreadable
from services.deals.errors.payments import WebhookRateLimited as WebhookRateLimited
from services.deals.errors.payments import WebhookStale as WebhookStale
from services.deals.errors.payments import WebhookUnsigned as WebhookUnsigned


class ValuesInvalid(errors.InvalidArgument):
    """Wrong values of one record, all named at once."""

    reason = "VALUES_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} value(s) cannot be accepted; see violations", violations
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

    def __init__(self, noun: str, field: str) -> None:
        super().__init__(
            f"another {noun} has this {field}; choose another or change that one",
            [Violation(field, "must be unique")],
        )


class KeyFixed(errors.InvalidArgument):
    reason = "KEY_FIXED"

    def __init__(self, noun: str, key: str, field: str = "key") -> None:
        super().__init__(
            f"the {field} {key!r} of a {noun} cannot change, rules and programs use it; change the name instead",
            [Violation(field, f"stays {key!r}")],
        )


class DealWrongState(errors.FailedPrecondition):
    reason = "DEAL_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a deal that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class OwnerNotActive(errors.FailedPrecondition):
    reason = "OWNER_NOT_ACTIVE"

    def __init__(self, user_id: str, field: str = "owner_id") -> None:
        super().__init__(
            f"{user_id} is not an active user; choose an active colleague",
            [Violation(field, "must be an active user")],
        )


class DealEnded(errors.FailedPrecondition):
    reason = "DEAL_ENDED"

    def __init__(self, state: str, fields: list[str]) -> None:
        super().__init__(
            f"the deal is {state}: {', '.join(fields)} cannot change any more; use :reopen first",
            [Violation(field, f"stays as it is while the deal is {state}") for field in fields],
            metadata={"state": state},
        )


class CurrencyFixed(errors.FailedPrecondition):
    reason = "CURRENCY_FIXED"

    def __init__(self, currency: str, because: str) -> None:
        super().__init__(
            f"the currency stays {currency}, because the deal has {because}; make another deal for another currency",
            [Violation("currency", f"stays {currency}")],
        )


class PipelineInUse(errors.FailedPrecondition):
    reason = "PIPELINE_IN_USE"

    def __init__(self, name: str, count: int) -> None:
        super().__init__(
            f"{count} open deal(s) stand in {name!r}; move, win or lose them first, or retire the pipeline",
            metadata={"open_deals": str(count)},
        )


class NoPipeline(errors.FailedPrecondition):
    reason = "NO_PIPELINE"

    def __init__(self) -> None:
        super().__init__(
            "the company has no pipeline that is in use; make one, or name one in pipeline_id",
            [Violation("pipeline_id", "must be named")],
        )


class MoveNotAllowed(errors.FailedPrecondition):
    reason = "MOVE_NOT_ALLOWED"

    def __init__(self, why: str, field: str = "stage_id") -> None:
        super().__init__(why, [Violation(field, why)])


class SkipReasonMissing(errors.FailedPrecondition):
    reason = "SKIP_REASON_MISSING"

    def __init__(self, names: list[str]) -> None:
        passed = ", ".join(map(repr, names))
        super().__init__(
            f"the move passes over {passed}; say why in skip_reason",
            [Violation("skip_reason", f"must say why {passed} is passed over")],
        )


class FieldsMissing(errors.FailedPrecondition):
    reason = "FIELDS_MISSING"

    def __init__(self, stage: str, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} thing(s) must be filled before the deal can go to {stage!r}; see violations",
            violations,
        )


class PartyNotHereYet(errors.Aborted):
    reason = "PARTY_NOT_HERE_YET"

    def __init__(self, field: str) -> None:
        super().__init__(
            "the customer's last change has not arrived here yet; try again in a moment",
            [Violation(field, "is newer than what is known here")],
        )


class QuoteWrongState(errors.FailedPrecondition):
    reason = "QUOTE_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a quote that is {state} cannot be {verb}; {allowed}", metadata={"state": state}
        )


class QuoteEmpty(errors.FailedPrecondition):
    reason = "QUOTE_EMPTY"

    def __init__(self) -> None:
        super().__init__(
            "a quote without lines offers nothing; add at least one line before it goes out",
            [Violation("lines", "0 lines; at least 1")],
        )


class QuoteNeedsApproval(errors.FailedPrecondition):
    reason = "QUOTE_NEEDS_APPROVAL"

    def __init__(self, percent: str, limit: str) -> None:
        super().__init__(
            f"the discount is {percent} % and more than {limit} % needs approval; use :submit",
            [Violation("effective_discount_percent", f"{percent} is above {limit}")],
        )


class QuoteOwnApproval(errors.FailedPrecondition):
    reason = "QUOTE_OWN_APPROVAL"

    def __init__(self) -> None:
        super().__init__(
            "you wrote or submitted this quote yourself; somebody else must decide about its discount"
        )


class QuoteClosed(errors.FailedPrecondition):
    reason = "QUOTE_CLOSED"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"this quote is {state} and cannot be answered any more; ask whoever sent it to you",
            metadata={"state": state},
        )


class QuoteRateLimited(errors.ResourceExhausted):
    reason = "QUOTE_RATE_LIMITED"

    def __init__(self, limit: int, now: datetime) -> None:
        super().__init__(
            f"more than {limit} answers in a minute came from this address; try again in the next minute",
            retry_after_s=60 - now.second,
        )


class InvoiceWrongState(errors.FailedPrecondition):
    reason = "INVOICE_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"an invoice that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class InvoiceFixed(errors.FailedPrecondition):
    reason = "INVOICE_FIXED"

    def __init__(self, state: str, number: str, fields: list[str]) -> None:
        super().__init__(
            f"the invoice {number} is {state}: {', '.join(fields)} cannot change any more; take it back with :credit",
            [Violation(field, "stays as it was issued") for field in fields],
        )


class InvoiceIncomplete(errors.FailedPrecondition):
    reason = "INVOICE_INCOMPLETE"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} thing(s) must be filled before the invoice can be issued; see violations",
            violations,
        )


class InvoiceNumberTaken(errors.AlreadyExists):
    reason = "INVOICE_NUMBER_TAKEN"

    def __init__(self) -> None:
        super().__init__(
            "an earlier pattern of the series gave this number already; choose another pattern of the legal entity",
            [Violation("series", "gives a number that was given before")],
        )


class CreditTooMuch(errors.FailedPrecondition):
    reason = "CREDIT_TOO_MUCH"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("more would be taken back than is left; see violations", violations)


class LegalEntityNeeded(errors.FailedPrecondition):
    reason = "LEGAL_ENTITY_NEEDED"

    def __init__(self, why: str) -> None:
        super().__init__(why)


class PriceOverlap(errors.AlreadyExists):
    reason = "PRICE_OVERLAP"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} price(s) would hold beside others of the same group on the same days; see violations",
            violations,
        )


class PricesFixed(errors.FailedPrecondition):
    reason = "PRICES_FIXED"

    def __init__(self, fields: list[str]) -> None:
        super().__init__(
            "a published price list keeps its prices; make a new version with :newVersion, or end it by until_date",
            [Violation(field, "is fixed since the list was published") for field in fields],
        )


class StillNamed(errors.FailedPrecondition):
    reason = "STILL_NAMED"

    def __init__(self, noun: str, by: str) -> None:
        super().__init__(
            f"this {noun} cannot be deleted while {by} names it; retire it, or change what names it",
            [Violation("id", f"is named by {by}")],
        )


class PriceListWrongState(errors.FailedPrecondition):
    reason = "PRICE_LIST_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a price list that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class NotMeasured(errors.FailedPrecondition):
    reason = "NOT_MEASURED"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} quantity(ies) cannot be taken from tasks; see violations",
            violations,
        )


class DealChangeWrongState(errors.FailedPrecondition):
    reason = "DEAL_CHANGE_WRONG_STATE"

    def __init__(self, verb: str, state: str, hint: str) -> None:
        super().__init__(
            f"a change that is {state} cannot be {verb}; {hint}", metadata={"state": state}
        )


class TooManyDeals(errors.InvalidArgument):
    reason = "TOO_MANY_DEALS"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"the filter names more than {most} open deals, the most that one change may have; narrow it",
            [Violation("filter", f"names more than {most} open deals")],
        )


class NoCards(errors.InvalidArgument):
    reason = "NO_CARDS"

    def __init__(self) -> None:
        super().__init__(
            "deals, products and prices cannot be written as vCards; ask for CSV or XLSX",
            [Violation("format", "must be CSV or XLSX")],
        )


class ContractWrongState(errors.FailedPrecondition):
    reason = "CONTRACT_WRONG_STATE"

    def __init__(self, verb: str, state: str, fields: list[str] | None = None) -> None:
        super().__init__(
            f"a contract that is {state} cannot be {verb}; change the one that goes on, or make another",
            [
                Violation(field, f"stays as it was agreed: the contract is {state}")
                for field in fields or ()
            ],
            metadata={"state": state},
        )


class OrderUnknown(errors.NotFound):
    reason = "ORDER_UNKNOWN"

    def __init__(self, system: str, id: str) -> None:
        super().__init__(f"there is no order {id!r} of {system!r} for you")
