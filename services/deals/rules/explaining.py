"""Steps of calculations as records and answers carry them (M16). Pure."""

from crm.deals.v1 import explain_pb2
from services.deals.money import currencies
from services.deals.money.steps import Figure, Step, Trace

AmountStep = explain_pb2.AmountStep


class Trail:
    """Collects the steps of one calculation in their order, each with the rule that asks for it."""

    def __init__(self) -> None:
        self.steps: list[AmountStep] = []

    def by(self, rule: str, currency: str, *, id: str = "", version: int = 0) -> Trace:
        """A trace that writes steps of this rule."""

        def trace(step: Step) -> None:
            self.steps.append(written(step, rule, currency, id=id, version=version))

        return trace


def written(step: Step, rule: str, currency: str, *, id: str = "", version: int = 0) -> AmountStep:
    """The step as contracts carry it."""
    made = AmountStep(
        rule=rule,
        rule_id=id,
        rule_version=version,
        operation=AmountStep.Operation.Value(f"OPERATION_{step.operation.upper()}"),
        currency=currency,
        places=currencies.places(currency),
    )
    for target, figures in ((made.inputs, step.inputs), (made.results, step.results)):
        for figure in figures:
            target.add(name=figure.name, value=f"{figure.value:f}")
    return made


def amount(name: str, text: str) -> Figure:
    """A figure of a record's text; empty counts as zero."""
    return Figure(name, currencies.EXACT.create_decimal(text or "0"))
