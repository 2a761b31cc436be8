"""What happens to every request before it is routed and to every answer before it leaves; two ordered lists say it."""

import gzip
import random
import re
from collections.abc import Callable

from chassis import errors
from gateway.exchange import Exchange, Header, Response
from gateway.limits import Buckets, network_of
from gateway.problems import HeadTooLarge
from gateway.settings import Settings

# What a proxy or a client may choose as a request id: printable, short, nothing that could break a log line.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

_GZIP_FROM_BYTES = 1024
_GZIP_TYPES = (b"application/json", b"application/problem+json", b"text/", b"image/svg")

FILES_PATH = "/v1/files"
ACCESS_COOKIE = "crm_access"


class Busy(errors.Unavailable):
    """This process works on as many requests as it may."""

    reason = "BUSY"


class Edge:
    """The limits and headers of one process's HTTP face."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.running = 0
        self._tokens = Buckets(settings.rate_per_token, "session or token")
        self._addresses = Buckets(settings.rate_per_address, "address")
        self._https = settings.public_url.startswith("https:")
        self._common_headers = self._common()

    def _common(self) -> list[Header]:
        headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"strict-origin-when-cross-origin"),
        ]
        if self._https:
            headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
        return headers

    def admit(self, exchange: Exchange) -> None:
        """Runs the checks in order; raises the CrmError of the first that refuses."""
        for check, _reason in BEFORE:
            check(self, exchange)

    def dress(self, exchange: Exchange, response: Response) -> None:
        """Completes an answer in place."""
        for step, _reason in AFTER:
            step(self, exchange, response)

    def leave(self) -> None:
        """The request no longer occupies this process."""
        self.running -= 1

    # Before.

    def name(self, exchange: Exchange) -> None:
        # Names need to be distinct, not secret: the generator costs a tenth of what the kernel's does.
        fresh = f"{random.getrandbits(128):032x}"
        parent = (
            _TRACEPARENT.fullmatch(exchange.header(b"traceparent"))
            if b"traceparent" in exchange.headers
            else None
        )
        exchange.trace_id = parent[1] if parent else fresh
        wanted = exchange.headers.get(b"x-request-id")
        if wanted is not None and _REQUEST_ID.fullmatch(text := wanted.decode("latin-1")):
            exchange.request_id = text
        else:
            exchange.request_id = fresh

    def find_peer(self, exchange: Exchange) -> None:
        if self.settings.trusted_proxies:
            hops = [
                hop.strip() for hop in exchange.header(b"x-forwarded-for").split(",") if hop.strip()
            ]
            if len(hops) >= self.settings.trusted_proxies:
                exchange.peer = hops[-self.settings.trusted_proxies]

    def limit_running(self, exchange: Exchange) -> None:
        self.running += 1
        exchange.finish.append(self.leave)
        if self.running > self.settings.max_requests:
            raise Busy(
                f"{self.settings.max_requests} requests are being worked on; try again",
                retry_after_s=1,
            )

    def limit_head(self, exchange: Exchange) -> None:
        headers = exchange.headers
        size = len(exchange.path) + len(exchange.scope["query_string"])
        size += sum(map(len, headers)) + sum(map(len, headers.values()))
        if size > self.settings.max_head_bytes:
            raise HeadTooLarge(
                f"address and headers are {size} bytes; the limit is {self.settings.max_head_bytes}"
            )

    def limit_address(self, exchange: Exchange) -> None:
        self._addresses.take(network_of(exchange.peer))

    def limit_token(self, exchange: Exchange) -> None:
        token = exchange.headers.get(b"authorization")
        if token is None:
            token = (
                exchange.cookie(ACCESS_COOKIE).encode() if b"cookie" in exchange.headers else b""
            )
        if token:
            self._tokens.take(token[-32:])

    def limit_body(self, exchange: Exchange) -> None:
        files = exchange.path.startswith(FILES_PATH)
        exchange.max_body = self.settings.max_file_bytes if files else self.settings.max_json_bytes

    # After.

    def secure(self, exchange: Exchange, response: Response) -> None:
        response.headers += self._common_headers
        if response.header(b"content-security-policy") is None:
            response.headers.append(_API_CSP)
        if response.header(b"cache-control") is None:
            # A read may be kept by its reader if it asks again each time (ETag); an answer to a command never.
            response.headers.append(
                _REVALIDATE if exchange.method == "GET" and response.status < 400 else _NO_STORE
            )

    def compress(self, exchange: Exchange, response: Response) -> None:
        if len(response.body) < _GZIP_FROM_BYTES or b"gzip" not in exchange.headers.get(
            b"accept-encoding", b""
        ):
            return
        if (
            response.content_type.startswith(_GZIP_TYPES)
            and response.header(b"content-encoding") is None
        ):
            # Level 1: most of the gain; the rest costs more time here than it saves on the wire.
            response.body = gzip.compress(response.body, compresslevel=1, mtime=0)
            response.headers.append((b"content-encoding", b"gzip"))
            response.headers.append((b"vary", b"accept-encoding"))

    def sign(self, exchange: Exchange, response: Response) -> None:
        response.headers.append((b"x-request-id", exchange.request_id.encode()))


_API_CSP: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_REVALIDATE: Header = (b"cache-control", b"private, no-cache")
_NO_STORE: Header = (b"cache-control", b"no-store")

BEFORE: tuple[tuple[Callable[[Edge, Exchange], None], str], ...] = (
    (Edge.name, "first, so that every refusal below carries a request id and a trace id"),
    (Edge.limit_running, "before any work: under overload a polite 503 must stay cheap"),
    (
        Edge.find_peer,
        "the address limit and the services need the client's address, not the proxy's",
    ),
    (Edge.limit_head, "before anything parses query or cookies"),
    (Edge.limit_address, "before the token: inventing tokens must not escape the limit"),
    (Edge.limit_token, "one runaway integration must not slow a whole company"),
    (Edge.limit_body, "last; only says how much of the body may be read, by path"),
)

AFTER: tuple[tuple[Callable[[Edge, Exchange, Response], None], str], ...] = (
    (Edge.secure, "also on refusals: an error page is a page"),
    (Edge.compress, "after everything that looks into the body"),
    (Edge.sign, "last, so that nothing can leave without its request id"),
)
