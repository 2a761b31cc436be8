"""Products and tax classes: what each must be, and which rate holds on a day. Pure."""

from datetime import date
from itertools import pairwise

from chassis.errors import Violation
from crm.deals.v1 import product_pb2, tax_class_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.rules import days

Product = product_pb2.Product
TaxClass = tax_class_pb2.TaxClass


# -- products ---------------------------------------------------------------------------------------------


def normalise_product(product: Product) -> None:
    """One spelling of number, name and unit; ValuesInvalid names what cannot be."""
    for field in ("sku", "name", "unit"):
        setattr(product, field, " ".join(getattr(product, field).split()))
    wrong = [
        Violation(field, "must say something besides blanks")
        for field in ("sku", "name")
        if not getattr(product, field)
    ]
    wrong += limits.number("unit_cost", product.unit_cost)
    if product.cost_currency and not currencies.is_known(product.cost_currency):
        wrong.append(limits.no_money("cost_currency", product.cost_currency))
    if wrong:
        raise errors.ValuesInvalid(wrong)


# -- taxes ------------------------------------------------------------------------------------------------


def check_tax_class(new: TaxClass, old: TaxClass | None) -> None:
    """Refuses another key, and rates of which two would hold on one day; puts them in order."""
    if old is not None and new.key != old.key:
        raise errors.KeyFixed("tax class", old.key)
    wrong = []
    for at, rate in enumerate(new.rates):
        wrong += limits.percentage(f"rates[{at}].percent", rate.percent, most=limits.MOST_TAX)
        wrong += days.wrong_span(rate, f"rates[{at}].")
    spans = sorted((*days.span(rate), at) for at, rate in enumerate(new.rates))
    for earlier, later in pairwise(spans):
        if not wrong and later[0] <= earlier[1]:
            said = days.shown(*earlier[:2])
            wrong.append(Violation(f"rates[{later[2]}].from_date", f"{later[0]} lies in the days of rates[{earlier[2]}], {said}"))  # fmt: skip
    if wrong:
        raise errors.ValuesInvalid(wrong)
    ordered = [new.rates[at] for _, _, at in spans]
    del new.rates[:]
    new.rates.extend(ordered)


def rate_on(tax_class: TaxClass, day: date) -> str | None:
    """The percentage that holds on the day; None if none does."""
    for rate in tax_class.rates:
        first, last = days.span(rate)
        if first <= day <= last:
            return str(rate.percent)
    return None


_FIRST_TAXES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "PL": (("standard", "23 %", "23"), ("reduced", "8 %", "8"), ("low", "5 %", "5"), ("zero", "0 %", "0")),
    "ID": (("standard", "PPN 11 %", "11"), ("zero", "PPN 0 %", "0")),
    "MY": (("service", "SST 8 %", "8"), ("service_reduced", "SST 6 %", "6"), ("goods", "SST 10 %", "10"), ("zero", "0 %", "0")),
    "DE": (("standard", "19 %", "19"), ("reduced", "7 %", "7"), ("zero", "0 %", "0")),
    "GB": (("standard", "20 %", "20"), ("reduced", "5 %", "5"), ("zero", "0 %", "0")),
}  # fmt: skip
"""Key, name and percentage by country, as the laws stand in 2026; a company changes them as it needs."""


def first_tax_classes(country: str) -> list[TaxClass]:
    """What a company of this country begins with; nothing where the country's taxes are not known here."""
    return [
        TaxClass(key=key, name=name, position=at, rates=[tax_class_pb2.TaxRate(percent=percent)])
        for at, (key, name, percent) in enumerate(_FIRST_TAXES.get(country, ()))
    ]
