"""An application over the real contracts whose services are one recording channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from chassis import contracts, errors
from gateway import routes
from gateway.app import App
from gateway.calls import Calls
from gateway.edge import Edge
from gateway.sessions import Sessions
from gateway.settings import Settings

ID = "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


@dataclass
class Service:
    """Answers every call with `answer` and remembers what was asked."""

    answer: bytes = b"{}"
    trailing: dict[str, str] = field(default_factory=lambda: {"crm-content": "json"})
    error: errors.CrmError | None = None
    method: str = ""
    request: Any = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    calls: int = 0

    def channel(self, service: str) -> "Service":
        return self

    async def unary(
        self, method: str, request: bytes, metadata: Mapping[str, str], timeout_s: float = 30
    ) -> tuple[bytes, dict[str, str]]:
        self.calls += 1
        self.method, self.metadata = method, metadata
        self.request = input_of(method).FromString(request)
        if self.error is not None:
            raise self.error
        return self.answer, self.trailing


def input_of(full_name: str) -> type[Message]:
    """The request class of `/package.Service/Method`."""
    service, name = full_name.strip("/").split("/")
    for descriptor in contracts.services():
        if descriptor.full_name == service:
            return contracts.method_of(descriptor.methods_by_name[name]).input
    raise LookupError(full_name)


def app_over(service: Service, settings: Settings | None = None) -> App:
    settings = settings or Settings()
    table = routes.build(contracts.services())
    secure = settings.public_url.startswith("https:")
    return App(
        table,
        Edge(settings),
        Sessions(secure=secure),
        Calls(service, [b.method for b in table.bindings], settings.call_timeout_s),
    )


def client_of(app: App) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://crm")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def http(service: Service) -> Any:
    async with client_of(app_over(service)) as client:
        yield client
