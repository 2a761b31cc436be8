"""Puts the HTTP face together out of a runtime: the one place that knows all rooms."""

from dataclasses import dataclass
from typing import Any

import orjson

from chassis import asyncapi, contracts, errors
from chassis.blobs import LocalBlobStore
from chassis.call import Actor
from chassis.events.nats import stream_of
from chassis.features import check_feature
from chassis.metrics_http import probe
from chassis.rights import Rights
from chassis.runtime import Runtime
from gateway import clock_door, docs, openapi, recording_audio, routes
from gateway.app import App
from gateway.calls import VIEW_AS, Calls
from gateway.edge import Edge
from gateway.exchange import Exchange, Response
from gateway.files import Files
from gateway.live.endpoint import Events
from gateway.live.hub import Hub
from gateway.oidc import ProviderSignIn
from gateway.public import calendars, webhooks
from gateway.public.data import DataPages
from gateway.public.forms import Forms
from gateway.public.quotes import QuotePages
from gateway.public.visits import Visits, publisher
from gateway.recording_audio import Playing
from gateway.routes import Binding, Table
from gateway.schemas import Schemas
from gateway.sessions import Sessions
from gateway.settings import Settings
from gateway.views import board, card, day, explain, move, open_deal, orders, popup, search


class ViewingNotHere(errors.PermissionDenied):
    """This path has no view of another user."""

    reason = "VIEWING_NOT_HERE"


@dataclass(frozen=True, slots=True)
class Face:
    """What serves, and what must be closed before it ends."""

    app: App
    hub: Hub
    store: LocalBlobStore
    settings: Settings


def assemble(runtime: Runtime) -> Face:
    """The application over the runtime's channels, directory and event streams."""
    settings: Settings = runtime.service_settings
    services = contracts.services()
    table = routes.build(services)
    edge = Edge(settings)
    sessions = Sessions(secure=settings.public_url.startswith("https:"))
    calls = Calls(runtime, [binding.method for binding in table.bindings], settings.call_timeout_s)
    app = App(table, edge, sessions, calls)
    authenticate = runtime.authentication.authenticate

    async def admit(authorization: str) -> tuple[str, Actor, Rights]:
        """Who follows live; FeatureOff where the company has switched that off."""
        found = await authenticate(authorization)
        check_feature(runtime.directory, found[0], "live")
        return found

    def own_authorization(exchange: Exchange) -> str:
        """For what the gateway decides itself: it does not show it through another's eyes, and says so."""
        if VIEW_AS in exchange.headers:
            raise ViewingNotHere("files and live events are not shown to X-View-As; leave it out")
        return sessions.authorization(exchange)

    hub = Hub(runtime.nats, admit, [stream_of(name) for name in contracts.load_all()])
    runtime.directory.on_change(hub.directory_changed)

    async def answer(binding: Binding, variables: tuple[str, ...], exchange: Exchange) -> bytes:
        """The JSON of a read as the exchange's caller, whatever else its query says."""
        message = binding.method.input()
        for name, value in zip(binding.variables, variables, strict=True):
            setattr(message, name, value)
        metadata = calls.metadata(exchange, sessions.authorization(exchange))
        return await calls.ask(binding.method.full_name, message, metadata)

    async def custom_fields(
        exchange: Exchange, resource: str, keys: list[str]
    ) -> list[dict[str, Any]]:
        """The custom fields of these keys in a kind of records, if the exchange's caller may know them."""
        shared, _ = table.match("GET", "/v1/customFields")
        binding = shared if isinstance(shared, Binding) else routes.choose(shared, resource)
        wanted = " OR ".join(f'key = "{key}"' for key in keys)
        message = binding.method.input(resource=resource, filter=wanted)
        metadata = calls.metadata(exchange, sessions.authorization(exchange))
        page = orjson.loads(await calls.ask(binding.method.full_name, message, metadata))
        return page.get("customFields", [])

    table.add("GET", card.PATH, card.Card(calls, sessions))
    table.add("GET", popup.PATH, popup.Popup(calls, sessions))
    table.add("GET", explain.PATH, explain.Explain(calls, sessions))
    table.add("GET", explain.WHO_PATH, explain.Who(calls, sessions))
    table.add("GET", day.MY_PATH, day.MyDay(calls, sessions))
    table.add("GET", day.DEPARTMENT_PATH, day.DepartmentDay(calls, sessions))
    table.add("GET", board.PATH, board.Board(calls, sessions, table))
    table.add("GET", search.PATH, search.Search(calls, sessions))
    opening = open_deal.OpenDeal(calls, sessions, settings.body_timeout_s)
    table.add("POST", open_deal.PATH, opening)
    table.add("POST", orders.PATH, orders.Orders(calls, sessions, settings.body_timeout_s))
    table.replace(
        "POST",
        move.PATH,
        lambda target: move.Move(target, calls, sessions, settings.body_timeout_s),
    )
    table.add(
        "GET",
        "/v1/events",
        Events(hub, own_authorization, admit, max_live=settings.max_live),
    )
    ProviderSignIn(calls, sessions).bind(table)
    store = LocalBlobStore(runtime.settings.data_dir / "blobs")
    playing = Playing(store, calls, own_authorization, authenticate)
    table.add("GET", recording_audio.PATH, playing)
    Files(store, own_authorization, authenticate, table, answer, custom_fields).bind()
    forms = Forms(calls, edge)
    forms.bind(table, app.call)
    DataPages(calls, edge).bind(table, app.call)
    QuotePages(calls, edge).bind(table, app.call)
    calendars.bind(table, app.call)
    webhooks.bind(table, calls, settings.body_timeout_s)
    Visits(forms, publisher(runtime.nats), settings.body_timeout_s).bind(table)
    docs.bind(table, lambda: openapi.document(table), _asyncapi)
    _bind_probes(table, runtime)
    if runtime.settings.test_clock:
        table.add("POST", clock_door.PATH, clock_door.Advance(runtime, settings.body_timeout_s))
    return Face(app, hub, store, settings)


def _asyncapi() -> bytes:
    """The events' document; tools.docs writes the same one to docs/."""
    return orjson.dumps(asyncapi.document(Schemas(), version="1"))


def _bind_probes(table: Table, runtime: Runtime) -> None:
    async def answer(exchange: Exchange, variables: tuple[str, ...]) -> Response:
        found = probe(exchange.path, runtime.process.ready)
        assert found is not None
        status, content_type, body = found
        return Response(status, body, content_type=content_type.encode())

    for path in ("/healthz", "/readyz", "/metrics"):
        table.add("GET", path, answer)
