"""Calling addresses that came from outside: what is refused before anything is sent, and what holds the connection to its name."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis import outbound
from chassis.outbound import Content, Problem, Unanswered, call

NAME = "partner.example"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Told: yes\r\n\r\nhello"


class Partner:
    """A server of somebody else's on this machine: keeps what it hears, answers what it is told to."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self.answer = OK
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self.heard.append(head + await reader.readexactly(int(length or 0)))
            writer.write(self.answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


Start = Callable[..., Awaitable[Partner]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a partner, with TLS if a context is given."""
    servers: list[asyncio.Server] = []

    async def started(tls: ssl.SSLContext | None = None) -> Partner:
        partner = Partner()
        server = await asyncio.start_server(partner.serve, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        partner.port = server.sockets[0].getsockname()[1]
        return partner

    yield started
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """The TLS of a server whose certificate, trusted here, is for NAME alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    outbound._tls.cache_clear()
    yield context
    outbound._tls.cache_clear()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the world's name servers say, answer by answer; names that are not here are asked of this machine."""
    said: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *others: Any, **more: Any) -> Any:
        if host not in said:
            return real(host, port, *others, **more)
        address = said[host].pop(0)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return said


async def unanswered(url: str, *, private: bool = False, **more: Any) -> Unanswered:
    with pytest.raises(Unanswered) as refused:
        await call("GET", url, private=private, **more)
    return refused.value


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "[::1]",
     "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.1]", "2130706433"],
)  # fmt: skip
async def test_an_address_in_our_own_network_is_never_called(start: Start, host: str) -> None:
    partner = await start()

    refused = await unanswered(f"https://{host}:{partner.port}/a?secret=1")

    assert refused.problem is Problem.NOT_PUBLIC
    assert "public" in str(refused)
    assert "secret" not in str(refused)
    assert partner.connections == 0


async def test_a_public_name_with_one_private_address_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = await start()
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, partner.port))
        for address in ("1.1.1.1", "127.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

    assert (await unanswered(f"https://{NAME}:{partner.port}/")).problem is Problem.NOT_PUBLIC
    assert partner.connections == 0


@pytest.mark.parametrize("url", ["http://1.1.1.1/", "ftp://1.1.1.1/", "//1.1.1.1/", "1.1.1.1"])
async def test_only_https_leaves(url: str) -> None:
    assert (await unanswered(url)).problem is Problem.NOT_HTTPS


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd"])
async def test_in_an_own_network_only_http_and_https_leave(url: str) -> None:
    assert (await unanswered(url, private=True)).problem is Problem.NOT_HTTPS


@pytest.mark.parametrize(
    "url",
    [
        "https:///path",
        "https://[::1/",
        "https://partner.example:99999/",
        f"https://{'a' * 70}.example/",
    ],
)
async def test_an_address_that_cannot_be_read_is_not_a_defect(url: str) -> None:
    assert (await unanswered(url)).problem is Problem.NO_ANSWER


async def test_the_answer_of_a_partner_in_an_own_network(start: Start) -> None:
    partner = await start()
    said = Content({"x-said": "1"}, b"body")

    answer = await call(
        "POST", f"http://127.0.0.1:{partner.port}/a?b=1", said, private=True, most_bytes=5
    )

    assert (answer.status, answer.headers["x-told"], answer.body) == (200, "yes", b"hello")
    (heard,) = partner.heard
    assert heard.startswith(b"POST /a?b=1 HTTP/1.1\r\n")
    assert b"x-said: 1\r\n" in heard
    assert f"127.0.0.1:{partner.port}\r\n".encode() in heard
    assert heard.endswith(b"\r\n\r\nbody")


async def test_a_form_with_a_password(start: Start) -> None:
    partner = await start()
    said = Content(form={"code": "a b"}, basic=("me", "secret"))

    await call("POST", f"http://127.0.0.1:{partner.port}/token", said, private=True)

    assert b"Authorization: Basic bWU6c2VjcmV0\r\n" in partner.heard[0]
    assert partner.heard[0].endswith(b"code=a+b")


async def test_a_body_that_interests_nobody_is_not_read(start: Start) -> None:
    partner = await start()
    partner.answer = b"HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n"

    answer = await call("POST", f"http://127.0.0.1:{partner.port}/", private=True)

    assert (answer.status, answer.body) == (201, b"")


async def test_too_long_an_answer_is_refused(start: Start) -> None:
    partner = await start()

    refused = await unanswered(f"http://127.0.0.1:{partner.port}/", private=True, most_bytes=4)

    assert refused.problem is Problem.TOO_LONG
    assert "more than 4 bytes" in str(refused)


async def test_redirects_are_not_followed(start: Start) -> None:
    partner, elsewhere = await start(), await start()
    to = f"http://127.0.0.1:{elsewhere.port}/".encode()
    partner.answer = b"HTTP/1.1 307 -\r\nContent-Length: 0\r\nLocation: " + to + b"\r\n\r\n"

    answer = await call("GET", f"http://127.0.0.1:{partner.port}/", private=True)

    assert answer.status == 307
    assert elsewhere.connections == 0


async def test_nobody_there(start: Start) -> None:
    refused = await unanswered("http://127.0.0.1:1/nobody", private=True)

    assert refused.problem is Problem.NO_ANSWER
    assert "ConnectError" in str(refused)


async def test_a_name_is_resolved_once_and_its_certificate_checked(
    start: Start, certified: ssl.SSLContext, names: dict[str, list[str]]
) -> None:
    partner = await start(certified)
    names[NAME] = ["127.0.0.1"]  # a second look would find nothing

    answer = await call("GET", f"https://{NAME}:{partner.port}/", private=True)

    assert answer.status == 200
    assert f"{NAME}:{partner.port}\r\n".encode() in partner.heard[0]


async def test_another_name_s_certificate_is_refused(
    start: Start, certified: ssl.SSLContext, names: dict[str, list[str]]
) -> None:
    partner = await start(certified)
    names["other.example"] = ["127.0.0.1"]

    refused = await unanswered(f"https://other.example:{partner.port}/", private=True)

    assert refused.problem is Problem.NO_ANSWER
    assert partner.heard == []
