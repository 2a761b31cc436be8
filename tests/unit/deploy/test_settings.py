"""The environment's words become settings, or a sentence that names the wrong one."""

from pathlib import Path

import pytest

from deploy.local.errors import Refusal
from deploy.local.settings import CHECKOUT, Settings


def test_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_environment({})

    assert (settings.port, settings.grpc_port) == (8800, 8801)
    assert settings.data == CHECKOUT / "data"
    assert 1 <= settings.processes <= 2
    assert (settings.demo, settings.demo_traffic) == (True, True)
    assert (settings.postgres_url, settings.nats_url) == ("", "")


def test_what_make_exports_empty_counts_as_absent() -> None:
    names = ["CRM_DATA_DIR", "CRM_PORT", "CRM_GRPC_PORT", "CRM_PROCESSES", "DEMO", "DEMO_TRAFFIC"]

    told = Settings.from_environment(dict.fromkeys(names, ""))
    untold = Settings.from_environment({})

    assert (told.data, told.port, told.processes, told.demo) == (
        *(untold.data, untold.port),
        *(untold.processes, untold.demo),
    )


def test_grpc_port_follows_the_http_port_unless_said() -> None:
    assert Settings.from_environment({"CRM_PORT": "9000"}).grpc_port == 9001
    assert Settings.from_environment({"CRM_PORT": "9000", "CRM_GRPC_PORT": "7"}).grpc_port == 7


def test_relative_data_directory_is_made_absolute() -> None:
    assert Settings.from_environment({"CRM_DATA_DIR": "here"}).data == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CRM_PORT", "http"),
        ("CRM_PORT", "0"),
        ("CRM_PORT", "65536"),
        ("CRM_PORT", "²"),
        ("CRM_PROCESSES", "-1"),
        ("CRM_PROCESSES", "65"),
        ("DEMO", "no"),
        ("DEMO_TRAFFIC", "2"),
    ],
)
def test_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Refusal, match=f"{name}={value} cannot be used"):
        Settings.from_environment({name: value})
