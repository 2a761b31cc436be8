"""Headers of NATS messages: read as the library reads them, only quicker."""

from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client

from chassis.events.nats import Nats

_PIECES = st.sampled_from(
    [b"ce-id", b"Nats-Msg-Id", b":", b": ", b"\r\n", b"\n", b" ", b"\t", b"\xc2\xa0", b"\xff", b"\x1c", b"v", "ł".encode()]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30).map(b"".join))
@example(b"ce-type: crm.contacts.v1.ContactCreated\r\nce-time:2026-11-23T09:00:00+00:00\r\n\r\n")
@example(b"\x1c:")
def test_headers_are_read_as_the_library_reads_them(raw: bytes) -> None:
    ours = Nats("").client._parse_header_lines(raw)

    assert ours == Client._parse_header_lines(raw)


async def test_the_client_reads_its_messages_by_it() -> None:
    client = Nats("").client

    read = await client._process_headers(b"NATS/1.0\r\nce-id: 7\r\nce-cause: import\r\n\r\n")

    assert read == {"ce-id": "7", "ce-cause": "import"}
    assert type(client)._parse_header_lines is not Client._parse_header_lines
