"""What the environment says, read once; wrong values are refused by name."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import Refusal

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Settings:
    """The runtime's settings; `from_environment` is the only place that reads the environment."""

    data: Path
    """CRM_DATA_DIR: everything that lasts lives here."""
    port: int
    """CRM_PORT: HTTP."""
    grpc_port: int
    """CRM_GRPC_PORT: gRPC for other programs; by default the port after CRM_PORT."""
    processes: int
    """CRM_PROCESSES: identical application processes; by default one per core, at most two."""
    postgres_url: str
    """CRM_POSTGRES_URL: an external server's administrator URL; empty = the embedded one."""
    nats_url: str
    """CRM_NATS_URL: an external NATS with JetStream; empty = the embedded one."""
    demo: bool
    """DEMO: make the demo company at the first start."""
    demo_traffic: bool
    """DEMO_TRAFFIC: let simulated visitors post the demo company's form."""
    environment: Mapping[str, str]
    """What the application's processes inherit."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings out of `environment`; a value that cannot be used raises Refusal naming it."""
        port = _port(environment, "CRM_PORT", 8800)
        return cls(
            data=Path(environment.get("CRM_DATA_DIR") or CHECKOUT / "data").expanduser().absolute(),
            port=port,
            grpc_port=_port(environment, "CRM_GRPC_PORT", port + 1),
            processes=_count(environment, "CRM_PROCESSES", min(len(os.sched_getaffinity(0)), 2)),
            postgres_url=environment.get("CRM_POSTGRES_URL", ""),
            nats_url=environment.get("CRM_NATS_URL", ""),
            demo=_switch(environment, "DEMO"),
            demo_traffic=_switch(environment, "DEMO_TRAFFIC"),
            environment=dict(environment),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def run_file(self) -> Path:
        return self.data / "run.json"


def akrab_version() -> str:
    """This checkout's version in pyproject.toml; "0" for a copy without that file."""
    try:
        with open(CHECKOUT / "pyproject.toml", "rb") as file:
            return str(tomllib.load(file)["project"]["version"])
    except (FileNotFoundError, KeyError):
        return "0"


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    return _whole_number(environment, name, default, low=1, high=65535)


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    return _whole_number(environment, name, default, low=1, high=64)


def _whole_number(
    environment: Mapping[str, str], name: str, default: int, *, low: int, high: int
) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise Refusal(f"{name}={text} cannot be used: give a whole number from {low} to {high}.")
    return int(text)


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name) or "1"
    if text not in ("0", "1"):
        raise Refusal(f"{name}={text} cannot be used: give 1 (yes) or 0 (no).")
    return text == "1"
