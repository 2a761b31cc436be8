"""The RPCs that a process serves: each method's body with the interceptors around it, callable by bytes."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from chassis import codec, contracts
from chassis.call import Call, Raw
from chassis.contracts import Method
from chassis.handlers import Rpc, Servicer, is_stream
from chassis.rpc.interceptors import compose, ordered
from chassis.running import run_read, run_write

if TYPE_CHECKING:
    from chassis.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One served RPC."""

    method: Method
    handle: Callable[[bytes, Call], Awaitable[Any]]
    stream: Callable[[bytes, Call], AsyncIterator[Any]] | None = None

    async def call(self, request: bytes, call: Call) -> bytes:
        """The answer's bytes; `call.trailing` says `crm-content: json` where they are the stored JSON."""
        answer = await self.handle(request, call)
        if isinstance(answer, Raw):
            if answer.json:
                call.trailing["crm-content"] = "json"
            return answer.data
        return to_bytes(answer, call)


def to_bytes(answer: Message, call: Call) -> bytes:
    """A message as the caller wants it: canonical JSON or protobuf."""
    if call.wants_json:
        call.trailing["crm-content"] = "json"
        return codec.to_json(answer)
    return answer.SerializeToString()


def endpoints_of(runtime: "Runtime", servicer_class: type[Servicer]) -> dict[str, Endpoint]:
    """full method name -> Endpoint for every RPC of the servicer's contract; a missing body refuses the start."""
    descriptor = next(s for s in contracts.services() if s.full_name == servicer_class.service)
    servicer = servicer_class(runtime)
    interceptors = ordered(runtime)
    found: dict[str, Endpoint] = {}
    for method_descriptor in descriptor.methods:
        method = contracts.method_of(method_descriptor)
        function = getattr(servicer_class, method.name, None)
        rpc: Rpc | None = getattr(function, "rpc", None)
        if rpc is None:
            raise LookupError(
                f"{servicer_class.__module__}.{servicer_class.__name__} has no @reads or @writes {method.name}"
            )
        if is_stream(rpc.body):
            raise LookupError(
                f"{method.full_name}: server streaming bodies are not offered yet by any contract"
            )
        run = run_write if rpc.writes else run_read
        body = functools.partial(run, servicer, rpc)
        found[method.full_name] = Endpoint(method, compose(interceptors, body))
    return found
