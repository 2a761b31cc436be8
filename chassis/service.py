"""What a service declares: one manifest, read by the runtime, the migrations and the generators of documents."""

import functools
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData

from chassis.handlers import Servicer

if TYPE_CHECKING:
    import asyncio

    from chassis.runtime import Runtime

Background = Callable[["Runtime", "asyncio.Event"], Coroutine[Any, Any, None]]
Nightly = Callable[["Runtime", str, datetime], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSettings:
    """A service without settings of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One bounded context. `metadata` None means that it owns no database."""

    name: str
    servicers: Sequence[type[Servicer]] = ()
    consumers: Sequence[Callable[..., Any]] = ()
    """Functions marked `@on` or `@on_any`."""
    timers: Sequence[Callable[..., Any]] = ()
    """Functions marked `@timer`."""
    operations: Sequence[Callable[..., Any]] = ()
    """Functions marked `@operation`."""
    metadata: MetaData | None = None
    settings: type = NoSettings
    on_start: Callable[["Runtime"], Awaitable[None]] | None = None
    """Runs once in each process before it is ready."""
    nightly: Sequence[Nightly] = ()
    """What else is forgotten each night: `(runtime, tenant, now)` removes what nobody keeps any more and says how many."""
    background: Sequence[Background] = ()
    """Loops `(runtime, stop)` that run beside the RPCs until `stop`."""


def names() -> list[str]:
    """Every service of this program, the gateway last."""
    import services  # allow import-direction: manifests are found by name, nothing of them is known here

    return [m.name for m in pkgutil.iter_modules(services.__path__)] + ["gateway"]


@functools.cache
def load(name: str) -> Service:
    """The manifest of a service by its name."""
    module = "gateway.service" if name == "gateway" else f"services.{name}.service"
    return importlib.import_module(module).service  # type: ignore[no-any-return]
