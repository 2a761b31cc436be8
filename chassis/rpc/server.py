"""Serves endpoints over gRPC: any gRPC client can call them; with health and reflection."""

import time
from collections.abc import Mapping, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis import errors
from chassis.call import Call
from chassis.rpc.endpoint import Endpoint

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Server:
    """The gRPC server of a process. Several processes may share the port (SO_REUSEPORT)."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints
        options = [("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", 32 << 20)]
        self._server = grpc.aio.server(options=options)
        self._health = health.aio.HealthServicer()
        self._services = sorted({name.split("/")[1] for name in endpoints})

    async def start(self, address: str) -> int:
        """Binds `host:port` (0 = any free port), serves, and returns the port."""
        by_service: dict[str, dict[str, grpc.RpcMethodHandler]] = {
            name: {} for name in self._services
        }
        for full_name, endpoint in self._endpoints.items():
            _, service, name = full_name.split("/")
            by_service[service][name] = grpc.unary_unary_rpc_method_handler(_handler(endpoint))
        self._server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(s, handlers)
                for s, handlers in by_service.items()
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names: Sequence[str] = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        port = self._server.add_insecure_port(address)
        if port == 0:
            raise OSError(f"cannot listen on {address}: the port is taken")
        await self._server.start()
        return port

    async def set_ready(self, ready: bool) -> None:
        """What health checks answer for the process and each service."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if ready
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *self._services):
            await self._health.set(name, status)

    async def stop(self, grace_s: float) -> None:
        """Takes no new RPC, lets running ones finish for `grace_s`, then cancels them."""
        await self._server.stop(grace_s)


def _handler(endpoint: Endpoint):  # type: ignore[no-untyped-def]  # grpc has no types for handlers
    async def handle(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        metadata = {
            key: value for key, value in context.invocation_metadata() if isinstance(value, str)
        }
        remaining = context.time_remaining()
        deadline = time.monotonic() + remaining if remaining is not None else None
        call = Call(endpoint.method, metadata, metadata.get("crm-peer", ""), deadline)
        try:
            answer = await endpoint.call(request, call)
        except errors.CrmError as error:
            status = errors.to_status(error)
            details = (("grpc-status-details-bin", status.SerializeToString()),)
            context.set_trailing_metadata((*call.trailing.items(), *details))
            await context.abort(_CODES[error.code], error.message)
            raise  # abort raises; this line tells type checkers so
        if call.trailing:
            context.set_trailing_metadata(tuple(call.trailing.items()))
        return answer

    return handle
