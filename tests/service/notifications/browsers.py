"""The other side of Web Push, written from the RFCs alone: a browser with its half of the keys, and a push service."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crm.notifications.v1 import push_pb2 as pb
from services.notifications.rules.push import Browser, decoded, encoded

_POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _hkdf(material: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, info).derive(material)


class Device:
    """A browser: what it gives away, and how it reads a push."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.point = self._key.public_key().public_bytes(*_POINT)
        self.auth = os.urandom(16)

    def browser(self, endpoint: str) -> Browser:
        return Browser(endpoint, self.point, self.auth)

    def request(self, endpoint: str, **values: Any) -> pb.SubscribePushRequest:
        """As PushManager.subscribe answers."""
        return pb.SubscribePushRequest(
            endpoint=endpoint, p256dh=encoded(self.point), auth=encoded(self.auth), **values
        )

    def read(self, body: bytes) -> bytes | None:
        """The text of a push (RFC 8291 section 3.4, RFC 8188 section 2); None if it is not for this browser."""
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert len(record) <= size
        shared = self._key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )
        secret = _hkdf(shared, self.auth, b"WebPush: info\x00" + self.point + sender, 32)
        key = _hkdf(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
        nonce = _hkdf(secret, salt, b"Content-Encoding: nonce\x00", 12)
        try:
            padded = AESGCM(key).decrypt(nonce, record, None)
        except InvalidTag:
            return None
        return padded.rstrip(b"\x00")[:-1]


@dataclass(frozen=True, slots=True)
class Pushed:
    """One request that reached the push service."""

    path: str
    headers: dict[str, str]
    body: bytes

    def sender(self, audience: str) -> tuple[str, dict[str, Any]]:
        """Who sent it: the public key and the claims, the signature checked (RFC 8292)."""
        scheme, _, rest = self.headers["authorization"].partition(" ")
        assert scheme == "vapid"
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
        return parts["k"], jwt.decode(
            parts["t"],
            public,
            algorithms=["ES256"],
            audience=audience,
            options={"require": ["aud", "exp"]},
        )


@dataclass
class PushService:
    """Takes pushes on 127.0.0.1 and answers 201, or per path what it is told to."""

    origin: str = ""
    pushed: list[Pushed] = field(default_factory=list)
    answers: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)

    def at(self, path: str) -> list[Pushed]:
        return [each for each in self.pushed if each.path == path]

    def read(self, path: str, device: Device) -> list[Any]:
        """What the browser shows, decrypted."""
        return [orjson.loads(device.read(each.body) or b"null") for each in self.at(path)]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        path = head[0].split(" ")[1]
        body = await reader.readexactly(int(headers["content-length"]))
        self.pushed.append(Pushed(path, headers, body))
        waiting = self.answers.get(path, [])
        status, more = waiting.pop(0) if waiting else (201, {})
        lines = [f"HTTP/1.1 {status} X", "content-length: 0", "connection: close"]
        lines += [f"{name}: {value}" for name, value in more.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    """A push service on a free port."""
    made = PushService()
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made
