"""Each reason that code gives is declared, and each declared reason is given."""

import importlib
import pkgutil

import pytest

import chassis
import gateway
import services
from chassis import errors
from tests.contract.descriptors import compiled
from tools.contracts import reasons

SERVICES = [module.name for module in pkgutil.iter_modules(services.__path__)]


def test_reasons_of_the_chassis_are_those_of_the_common_contract() -> None:
    from crm.common.v1 import reasons_pb2

    given = reasons.given_by_code(chassis, leave_out=("testing",))

    assert list(reasons.differences(given, reasons_pb2.Reason.DESCRIPTOR)) == []


def test_reasons_of_the_gateway_are_those_of_its_contract() -> None:
    from crm.gateway.v1 import reasons_pb2

    assert (
        list(reasons.differences(reasons.given_by_code(gateway), reasons_pb2.Reason.DESCRIPTOR))
        == []
    )


@pytest.mark.parametrize("name", SERVICES)
def test_reasons_of_a_service_are_those_of_its_contract(name: str) -> None:
    package = importlib.import_module(f"services.{name}")
    enum = importlib.import_module(f"crm.{name}.v1.reasons_pb2").Reason.DESCRIPTOR

    assert list(reasons.differences(reasons.given_by_code(package), enum)) == []


@pytest.mark.parametrize("name", SERVICES)
def test_refusals_of_a_service_live_in_its_errors(name: str) -> None:
    given = reasons.given_by_code(importlib.import_module(f"services.{name}"))

    homes = {cls.__module__ for classes in given.values() for cls in classes}
    assert {home.split(".")[2] for home in homes} == {"errors"}  # a module, or a package of several


class _Late(errors.Aborted):
    reason = "TOO_LATE"


class _VeryLate(_Late):
    """Inherits its reason."""


class _Lost(errors.NotFound):
    reason = "LOST"


class _LostToo(errors.NotFound):
    reason = "LOST"


def test_differences_are_found() -> None:
    _, file = compiled(
        "reason_sample.proto",
        """
        syntax = "proto3";
        package crm.reason_sample.v1;
        enum Reason { REASON_UNSPECIFIED = 0; REASON_LOST = 1; REASON_BORED = 2; }
    """,
    )
    given = reasons.reasons_of([_Late, _VeryLate, _Lost, _LostToo])
    here = __name__

    assert list(reasons.differences(given, file.enum_types_by_name["Reason"])) == [
        f"TOO_LATE: given by {here}._Late, absent in reason_sample.proto",
        "REASON_BORED of reason_sample.proto: no error class gives it",
        f"LOST: given by several classes: {here}._Lost, {here}._LostToo",
    ]
