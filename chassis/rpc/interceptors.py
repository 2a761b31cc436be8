"""What happens around every RPC, in one order, over the socket and within the process alike.

An interceptor is `async (request, call, next) -> answer`; the request is bytes until `shape` has read it.
"""

import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from chassis import errors, permits, telemetry, viewing
from chassis.call import ANYBODY, Call
from chassis.rights import Rights
from chassis.rpc import shape as shapes
from chassis.rpc.deadlines import Deadlines

if TYPE_CHECKING:
    from chassis.runtime import Runtime

Next = Callable[[Any, Call], Awaitable[Any]]
Interceptor = Callable[[Any, Call, Next], Awaitable[Any]]
log = logging.getLogger(__name__)

_NO_RIGHTS = Rights(None, "", ())


async def telemetry_(request: Any, call: Call, next: Next) -> Any:
    """Span, duration and code of every RPC."""
    began, code = time.perf_counter(), "OK"
    with telemetry.span(
        call.method.full_name, call.metadata.get("traceparent"), rpc=call.method.full_name
    ):
        try:
            return await next(request, call)
        except errors.CrmError as error:
            code = code_pb2.Code.Name(error.code)
            raise
        finally:
            _seconds(call.method.full_name, code).observe(time.perf_counter() - began)


# labels() locks and formats; a method has a handful of outcomes.
_seconds = functools.cache(telemetry.RPC_SECONDS.labels)


def errors_() -> Interceptor:
    """Lets refusals pass; anything else becomes INTERNAL with a fixed text and the trace id, and a log line."""
    deadlines = Deadlines()

    async def refuse(request: Any, call: Call, next: Next) -> Any:
        try:
            if call.deadline is None:
                return await next(request, call)
            with deadlines.until(call.deadline):
                return await next(request, call)
        except errors.CrmError:
            raise
        except TimeoutError as error:
            raise errors.DeadlineExceeded("the request took longer than its deadline") from error
        except Exception as error:
            log.exception("defect in %s", call.method.full_name)
            raise errors.Internal(
                f"something went wrong here; tell your administrator the trace id {telemetry.trace_id()}",
                metadata={"trace_id": telemetry.trace_id()},
            ) from error

    return refuse


def authentication(runtime: "Runtime") -> Interceptor:
    """Says who calls, from the token alone; a public RPC looks at none, so that a stale one never stops a sign-in."""

    async def authenticate(request: Any, call: Call, next: Next) -> Any:
        authorization = call.metadata.get("authorization", "")
        if call.method.public:
            call.actor, call.rights = ANYBODY, _NO_RIGHTS
        elif authorization:
            who = runtime.authentication
            call.tenant, call.actor, call.rights = who.known(
                authorization
            ) or await who.authenticate(authorization)
        else:
            raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
        if not call.method.public and call.metadata.get(viewing.METADATA):
            await viewing.look(runtime.directory, runtime.authentication, call)
        return await next(request, call)

    return authenticate


def permission(runtime: "Runtime") -> Interceptor:
    """Refuses callers without the grant that the contract names, and switched-off features."""

    async def permit(request: Any, call: Call, next: Next) -> Any:
        if not call.method.public:
            assert call.rights is not None
            assert call.tenant is not None
            permits.check(runtime.directory, call.tenant, call.rights, call.method)
        return await next(request, call)

    return permit


async def shape(request: Any, call: Call, next: Next) -> Any:
    """Reads the message and checks the contract's declared rules, all violations at once."""
    try:
        message = call.method.input.FromString(request)
    except DecodeError:
        raise errors.InvalidArgument(
            f"the request is not a {call.method.input.DESCRIPTOR.full_name}"
        ) from None
    shapes.check(message, writes=call.method.writes)
    return await next(message, call)


def ordered(runtime: "Runtime") -> tuple[Interceptor, ...]:
    """The order, and why."""
    return (
        telemetry_,  # first: sees everything, also what the others refuse
        errors_(),  # before all that may fail, so that nothing leaves as a driver's text
        authentication(runtime),  # before any look at the request: strangers cost little
        permission(runtime),  # needs the caller; before the message is read
        shape,  # last: only a permitted caller learns what is wrong with his message
    )


def compose(interceptors: tuple[Interceptor, ...], body: Next) -> Next:
    """The body with the interceptors around it, composed once per method."""
    for interceptor in reversed(interceptors):
        body = functools.partial(interceptor, next=body)  # type: ignore[call-arg]  # mypy knows only positional names
    return body
