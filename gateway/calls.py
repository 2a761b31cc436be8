"""Calls of services on behalf of one HTTP request: JSON bytes in and out, with what the caller sent beside the message."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from google.protobuf.message import Message

from chassis import codec, errors, telemetry
from chassis.contracts import Method
from chassis.rpc.channel import Channel
from chassis.settings import SettingError
from gateway.exchange import Exchange

VIEW_AS = b"x-view-as"
"""The header of somebody who looks as another user; the services check it."""

Answer = tuple[bytes, Mapping[str, str]]


class Channels(Protocol):
    """Whoever knows the way to each service: the runtime."""

    def channel(self, service: str) -> Channel: ...


class Calls:
    """Calls with the metadata of an exchange."""

    def __init__(self, channels: Channels, methods: Iterable[Method], timeout_s: float) -> None:
        self._channels = channels
        self._methods = {method.full_name: method for method in methods}
        self._timeout_s = timeout_s
        self._ways: dict[str, Channel] = {}

    def metadata(self, exchange: Exchange, authorization: str) -> dict[str, str]:
        """What travels beside every message of this exchange; `crm-peer` is ours alone and never copied from the client."""
        trace = (
            telemetry.traceparent()
            or exchange.header(b"traceparent")
            or f"00-{exchange.trace_id}-{exchange.trace_id[:16]}-01"
        )
        metadata = {
            "crm-accept": "json",
            "x-request-id": exchange.request_id,
            "crm-peer": exchange.peer,
            "traceparent": trace,
        }
        if authorization:
            metadata["authorization"] = authorization
        if viewed := exchange.headers.get(VIEW_AS):
            metadata["crm-view-as"] = viewed.decode("latin-1")
        for name in (b"accept-language", b"user-agent", b"origin", b"sec-purpose"):
            value = exchange.headers.get(name)
            if value is not None:
                metadata[name.decode()] = value.decode("latin-1")
        return metadata

    async def ask(self, name: str, request: Message, metadata: Mapping[str, str]) -> bytes:
        """The JSON answer of `/package.Service/Method` to a message made here; raises the CrmError of the refusal."""
        return (await self.json(self._methods[name], request.SerializeToString(), metadata))[0]

    async def json(self, method: Method, request: bytes, metadata: Mapping[str, str]) -> Answer:
        """The answer as JSON bytes with its trailing metadata; raises the CrmError of the refusal."""
        channel = self._ways.get(method.service)
        if channel is None:
            channel = self._ways[method.service] = self._way(method.service)
        answer, trailing = await channel.unary(method.full_name, request, metadata, self._timeout_s)
        if trailing.get("crm-content") != "json":
            answer = codec.to_json(method.output.FromString(answer))
        return answer, trailing

    def _way(self, service: str) -> Channel:
        """The channel to a service; NotFound where the installation runs without it."""
        try:
            return self._channels.channel(service)
        except SettingError:
            raise errors.NotFound(f"this installation runs without {service}") from None
