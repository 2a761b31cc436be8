"""Settings of a process, read once from the environment; an unknown or missing one refuses the start."""

import dataclasses
import hashlib
import hmac
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

T = TypeVar("T")


class SettingError(Exception):
    """A setting that is missing or not of its kind; the text names it, the value and what is expected."""


def read(cls: type[T], environ: Mapping[str, str] = os.environ) -> T:
    """An instance of the frozen dataclass `cls`: field `max_body` comes from `CRM_MAX_BODY`; raises SettingError."""
    values: dict[str, object] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = f"CRM_{field.name.upper()}"
        text = environ.get(name)
        if text is None or text == "":
            if (
                field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING
            ):
                raise SettingError(f"{name} is not set; {_docs(cls, field.name)}")
            continue
        try:
            values[field.name] = _parse(text, hints[field.name])
        except ValueError as error:
            raise SettingError(f"{name} must be {error}, got {text!r}") from None
    return cls(**values)


def _parse(text: str, kind: object) -> object:
    if isinstance(kind, types.UnionType):
        kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
    if kind is bool:
        if text not in ("0", "1"):
            raise ValueError("0 or 1")
        return text == "1"
    if kind in (int, float):
        try:
            return kind(text)  # type: ignore[operator]
        except ValueError:
            raise ValueError("a number") from None
    return Path(text) if kind is Path else text


def _docs(cls: type, name: str) -> str:
    return f"it is a setting of {cls.__module__}.{cls.__name__}.{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every process needs, whatever it serves."""

    postgres_url: str
    """Where PostgreSQL is, `postgresql://user:password@host:port/postgres`; user and password are used by migrate only."""
    nats_url: str
    """Where NATS is, `nats://user:password@host:port`."""
    secret: str
    """The installation's secret: database passwords and page tokens are derived from it."""
    data_dir: Path = Path("data")
    """Where blobs are kept."""
    port: int = 8800
    """HTTP port of the gateway."""
    grpc_port: int = 0
    """gRPC port; 0 serves gRPC within the process only, -1 takes any free port."""
    metrics_port: int = 0
    """HTTP port for /healthz, /readyz and /metrics of a process without the gateway; 0 = none."""
    bind: str = "127.0.0.1"
    """Address to listen on."""
    connections: int = 24
    """Most PostgreSQL connections of this process, over all its databases."""
    setup_token: str = ""
    """The one-time token that lets `POST /v1/setup` create the first tenant."""
    nats_callout_seed: str = ""
    """Account seed that signs NATS credentials of API tokens; empty = API tokens get none."""
    test_clock: bool = False
    """Opens `POST /v1/testClock:advance`; for data directories marked for tests only."""
    drain_s: float = 15.0
    """How long running requests may take after SIGTERM."""
    otlp_endpoint: str = ""
    """Where OpenTelemetry data is sent, `http://host:4318`; empty = nowhere."""
    force_retry: bool = False
    """Test door: the first try of every write is thrown away and the body runs again."""
    process: str = "0"
    """This process's number among its siblings; only for logs."""

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose, derived from the installation's secret (HMAC-SHA256)."""
        return hmac.digest(self.secret.encode(), purpose.encode(), hashlib.sha256)

    def database_url(self, database: str, role: str) -> str:
        """The URL of `database` for `role`, whose password is derived."""
        parts = urlsplit(self.postgres_url)
        password = self.derived(f"role:{role}").hex()
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(
            parts._replace(netloc=f"{quote(role)}:{password}@{host}", path=f"/{database}")
        )

    def admin_url(self, database: str) -> str:
        """The URL of `database` for the administrator who creates databases and roles."""
        return urlunsplit(urlsplit(self.postgres_url)._replace(path=f"/{database}"))


def address_of(service: str, environ: Mapping[str, str] = os.environ) -> str:
    """The gRPC address of another process's service, from `CRM_ADDRESS_<SERVICE>`."""
    address = environ.get(f"CRM_ADDRESS_{service.upper()}")
    if not address:
        raise SettingError(
            f"CRM_ADDRESS_{service.upper()} is not set and {service} is not served by this process"
        )
    return address


__all__ = ["SettingError", "Settings", "address_of", "read"]
