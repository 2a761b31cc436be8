"""POST /v1/testClock:advance: moves the business clock of an installation marked for tests. Bound only with CRM_TEST_CLOCK=1."""

from datetime import timedelta

from chassis import errors
from chassis.clock import TestClock
from chassis.errors import Violation
from chassis.runtime import Runtime
from chassis.settling import settled
from gateway import transcode
from gateway.exchange import Exchange, Response, answer_json

PATH = "/v1/testClock:advance"
_MOST_S = 10 * 366 * 86_400


class Advance:
    """The handler; answers when events, consumers and due timers have settled."""

    def __init__(self, runtime: Runtime, body_timeout_s: float) -> None:
        self._runtime = runtime
        self._body_timeout_s = body_timeout_s

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        body = transcode.parse_body(exchange, await exchange.body(self._body_timeout_s))
        seconds = body.get("seconds") if isinstance(body, dict) else None
        if (
            not isinstance(seconds, int | float)
            or isinstance(seconds, bool)
            or not 0 <= seconds <= _MOST_S
        ):
            raise errors.InvalidArgument(
                "say by how much", [Violation("seconds", f"a number from 0 to {_MOST_S}")]
            )
        clock = self._runtime.clock
        assert isinstance(clock, TestClock)
        await clock.advance(self._runtime.nats, timedelta(seconds=seconds))
        await settled(self._runtime.process)
        return answer_json({"now": clock.now().isoformat().replace("+00:00", "Z")})
