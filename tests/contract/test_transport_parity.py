"""One behaviour over both ways to a service: within the process and over a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf import message_factory

from chassis import contracts, errors
from chassis.call import Call, Raw
from chassis.errors import Violation
from chassis.rpc.channel import Channel, InProcessChannel, RemoteChannel
from chassis.rpc.endpoint import Endpoint
from chassis.rpc.interceptors import compose, errors_, shape, telemetry_
from chassis.rpc.server import Server
from tests.contract.descriptors import compiled

CONTRACT = """
syntax = "proto3";
package crm.parity.v1;
import "crm/options/v1/options.proto";
import "google/api/annotations.proto";

message Note {
  string text = 1 [(crm.options.v1.rules) = { required: true, max_length: 30000000 }];
  string color = 2 [(crm.options.v1.rules) = { format: FORMAT_COLOR }];
}
service ParityService {
  rpc Do(Note) returns (Note) {
    option (google.api.http) = { post: "/v1/notes", body: "*" };
    option (crm.options.v1.permission) = { access: ACCESS_PUBLIC };
  }
}
"""
DO = "/crm.parity.v1.ParityService/Do"
Body = Callable[[Any, Call], Awaitable[Any]]


class TooTired(errors.FailedPrecondition):
    """A refusal with everything a refusal can carry."""

    reason = "TOO_TIRED"


@dataclass
class Pair:
    """A channel, and the body at its other end, which each test chooses."""

    channel: Channel
    note: type[Any]
    body: list[Body] = field(default_factory=list)

    async def do(
        self, text: str = "hello", timeout_s: float = 10.0, **metadata: str
    ) -> tuple[Any, dict[str, str]]:
        """The answered Note and the trailing metadata."""
        sent = {name.replace("_", "-"): value for name, value in metadata.items()}
        data, trailing = await self.channel.unary(
            DO, self.note(text=text).SerializeToString(), sent, timeout_s
        )
        return self.note.FromString(data), trailing


@pytest.fixture(scope="module")
def contract() -> contracts.Method:
    _, file = compiled("parity.proto", CONTRACT)
    return contracts.method_of(file.services_by_name["ParityService"].methods_by_name["Do"])


@pytest.fixture(params=["in process", "socket"])
async def pair(request: pytest.FixtureRequest, contract: contracts.Method) -> AsyncIterator[Pair]:
    made = Pair(None, message_factory.GetMessageClass(contract.descriptor.input_type))  # type: ignore[arg-type]

    async def body(message: Any, call: Call) -> Any:
        return await made.body[-1](message, call)

    endpoints = {DO: Endpoint(contract, compose((telemetry_, errors_(), shape), body))}
    if request.param == "in process":
        made.channel = InProcessChannel(endpoints)
        yield made
        return
    server = Server(endpoints)
    port = await server.start("127.0.0.1:0")
    made.channel = channel = RemoteChannel(f"127.0.0.1:{port}")
    yield made
    await channel.close()
    await server.stop(0)


def noting(note: Callable[[Call], object]) -> Body:
    """A body that looks at the call and answers what it was sent."""

    async def body(message: Any, call: Call) -> Any:
        note(call)
        return message

    return body


async def refused(call: Awaitable[Any]) -> errors.CrmError:
    with pytest.raises(errors.CrmError) as caught:
        await call
    return caught.value


async def test_an_answer_comes_back(pair: Pair) -> None:
    async def shout(message: Any, call: Call) -> Any:
        return pair.note(text=message.text.upper())

    pair.body.append(shout)

    answer, trailing = await pair.do("łódź")

    assert answer.text == "ŁÓDŹ"
    assert "crm-content" not in trailing


async def test_metadata_arrives_and_names_the_peer(pair: Pair) -> None:
    seen: list[Call] = []

    pair.body.append(noting(seen.append))
    sent = {
        "authorization": "Bearer x",
        "accept-language": "pl",
        "x-request-id": "r-1",
        "crm-peer": "203.0.113.9",
    }

    await pair.channel.unary(DO, pair.note(text="a").SerializeToString(), sent)

    (call,) = seen
    assert {name: call.metadata.get(name) for name in sent} == sent
    assert (call.peer, call.request_id, call.wants_json) == ("203.0.113.9", "r-1", False)


async def test_trailing_metadata_comes_back(pair: Pair) -> None:
    pair.body.append(noting(lambda call: call.trailing.update({"crm-etag": "7"})))

    _, trailing = await pair.do()

    assert trailing["crm-etag"] == "7"


async def test_the_caller_chooses_json(pair: Pair) -> None:
    pair.body.append(noting(lambda call: None))

    data, trailing = await pair.channel.unary(
        DO, pair.note(text="Żyła").SerializeToString(), {"crm-accept": "json"}
    )

    assert (data, trailing["crm-content"]) == ('{"text":"Żyła"}'.encode(), "json")


async def test_stored_json_passes_as_it_is(pair: Pair) -> None:
    async def stored(message: Any, call: Call) -> Any:
        return Raw(b'{"text":  "kept"}', json=True)

    pair.body.append(stored)

    data, trailing = await pair.channel.unary(
        DO, pair.note(text="a").SerializeToString(), {"crm-accept": "json"}
    )

    assert (data, trailing["crm-content"]) == (b'{"text":  "kept"}', "json")


async def test_generated_stubs_work_and_share_nothing_with_the_body(pair: Pair) -> None:
    async def scribble(message: Any, call: Call) -> Any:
        message.text = "scribbled"
        return message

    pair.body.append(scribble)
    stub = pair.channel.unary_unary(  # type: ignore[attr-defined]
        DO,
        request_serializer=pair.note.SerializeToString,
        response_deserializer=pair.note.FromString,
    )
    sent = pair.note(text="mine")

    answer = await stub(sent, timeout=10.0, metadata={"x-request-id": "r"})

    assert (sent.text, answer.text) == ("mine", "scribbled")


async def test_the_body_sees_the_deadline(pair: Pair) -> None:
    left: list[float | None] = []

    pair.body.append(noting(lambda call: left.append(call.remaining_s())))

    await pair.do(timeout_s=5.0)

    assert left[0] is not None
    assert 3.0 < left[0] <= 5.01


async def test_a_passed_deadline_ends_the_call_and_the_body(pair: Pair) -> None:
    ended = asyncio.Event()

    async def dawdle(message: Any, call: Call) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    pair.body.append(dawdle)

    error = await refused(pair.do(timeout_s=0.2))

    assert (type(error), error.reason) == (errors.DeadlineExceeded, "DEADLINE_EXCEEDED")
    async with asyncio.timeout(5):
        await ended.wait()


async def test_cancelling_the_caller_cancels_the_body(pair: Pair) -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def dawdle(message: Any, call: Call) -> Any:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    pair.body.append(dawdle)
    caller = asyncio.create_task(pair.do())
    async with asyncio.timeout(5):
        await began.wait()

    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    async with asyncio.timeout(5):
        await cancelled.wait()


async def test_a_refusal_arrives_whole(pair: Pair) -> None:
    async def refuse(message: Any, call: Call) -> Any:
        raise TooTired(
            "zmęczony;\nspróbuj jutro",
            [Violation("text", "is 9, at most 3"), Violation("color", "jest żółty")],
            metadata={"limit": "3", "who": "Łucja"},
            retry_after_s=1.5,
        )

    pair.body.append(refuse)

    error = await refused(pair.do())

    assert isinstance(error, errors.FailedPrecondition)
    assert (error.reason, error.message, error.domain) == (
        "TOO_TIRED",
        "zmęczony;\nspróbuj jutro",
        "crm",
    )
    assert error.violations == (
        Violation("text", "is 9, at most 3"),
        Violation("color", "jest żółty"),
    )
    assert error.metadata == {"limit": "3", "who": "Łucja"}
    assert error.retry_after_s == 1.5


@pytest.mark.parametrize(
    "kind",
    [
        errors.InvalidArgument, errors.Unauthenticated, errors.PermissionDenied, errors.NotFound, errors.AlreadyExists,
        errors.Aborted, errors.FailedPrecondition, errors.ResourceExhausted, errors.DeadlineExceeded, errors.Unavailable,
        errors.Internal,
    ],
)  # fmt: skip
async def test_every_kind_of_refusal_keeps_its_kind(
    pair: Pair, kind: type[errors.CrmError]
) -> None:
    async def refuse(message: Any, call: Call) -> Any:
        raise kind("no")

    pair.body.append(refuse)

    error = await refused(pair.do())

    assert (type(error), error.reason, error.message) == (kind, kind.reason, "no")
    assert (error.violations, error.metadata, error.retry_after_s) == ((), {}, None)


async def test_a_refusal_with_many_violations_arrives_whole(pair: Pair) -> None:
    many = tuple(
        Violation(f"rows[{n}].phone", f"{n} is not a telephone number of this country")
        for n in range(500)
    )

    async def refuse(message: Any, call: Call) -> Any:
        raise errors.InvalidArgument("500 rows are wrong", many)

    pair.body.append(refuse)

    error = await refused(pair.do())

    assert (type(error), error.violations) == (errors.InvalidArgument, many)


async def test_a_defect_leaves_no_text(pair: Pair) -> None:
    async def stumble(message: Any, call: Call) -> Any:
        raise RuntimeError("connection to postgres://owner:pw@10.0.0.1 failed")

    pair.body.append(stumble)

    error = await refused(pair.do())

    assert (type(error), error.reason, error.metadata.keys()) == (
        errors.Internal,
        "INTERNAL",
        {"trace_id"},
    )
    assert (
        error.message
        == f"something went wrong here; tell your administrator the trace id {error.metadata['trace_id']}"
    )


async def test_rules_of_the_contract_are_checked_before_the_body(pair: Pair) -> None:
    async def never(message: Any, call: Call) -> Any:
        raise AssertionError("the body must not run")

    pair.body.append(never)

    error = await refused(pair.channel.unary(DO, pair.note(color="red").SerializeToString(), {}))

    assert (error.code, error.reason) == (errors.InvalidArgument.code, "INVALID_FIELDS")
    assert error.violations == (
        Violation("text", "is required"),
        Violation("color", "'red' is not a colour such as #1f6feb"),
    )


async def test_bytes_that_are_no_message_are_refused(pair: Pair) -> None:
    error = await refused(pair.channel.unary(DO, b"\xff\xff\xff", {}))

    assert (type(error), error.message) == (
        errors.InvalidArgument,
        "the request is not a crm.parity.v1.Note",
    )


async def test_large_messages_pass_both_ways(pair: Pair) -> None:
    pair.body.append(noting(lambda call: None))
    text = "ż" * 10_000_000  # 20 MB, five times what gRPC takes unless told otherwise

    answer, _ = await pair.do(text, timeout_s=30)

    assert len(answer.text) == len(text)


async def test_an_unknown_method_is_unavailable(pair: Pair) -> None:
    error = await refused(pair.channel.unary("/crm.parity.v1.ParityService/Undo", b"", {}))

    assert (type(error), error.message) == (
        errors.Unavailable,
        "/crm.parity.v1.ParityService/Undo is not served here",
    )


async def test_calls_do_not_mix(pair: Pair) -> None:
    together = asyncio.Barrier(20)

    async def meet(message: Any, call: Call) -> Any:
        await together.wait()
        call.trailing["crm-etag"] = call.metadata["x-request-id"]
        return message

    pair.body.append(meet)

    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            *(pair.do(f"text {n}", x_request_id=str(n)) for n in range(20))
        )

    assert [(a.text, t["crm-etag"]) for a, t in answers] == [
        (f"text {n}", str(n)) for n in range(20)
    ]
