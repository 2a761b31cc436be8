"""Pure rules of signing in and staying signed in: how long to wait after failures, and what a refresh token is worth."""

import hashlib
import hmac
import struct
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum

ACCESS_TOKEN_S = 15 * 60
SESSION_LIFE = timedelta(days=30)
"""A session that nobody renews for so long ends."""
REFRESH_GRACE = timedelta(seconds=10)
"""Two tabs may renew with the same token within this time; both get the same successor."""
INVITATION_LIFE = timedelta(days=7)
RESET_LIFE = timedelta(hours=24)
CHALLENGE_LIFE = timedelta(minutes=10)
"""Between password and code: long enough to install an app and scan its picture."""


class LinkKind(IntEnum):
    """What a one-time secret is for; the numbers are stored."""

    INVITATION = 1
    RESET = 2
    CHALLENGE = 3
    """A sign-in whose second factor is missing."""


FORGET_FAILURES_AFTER = timedelta(hours=1)
_LONGEST_WAIT_S = 300.0  # long enough to stop guessing, short enough that nobody can lock a colleague out for the day


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures are free before waiting begins; each further one doubles the wait."""

    kind: str
    free: int


ACCOUNT = Limit("account", 5)
PEER = Limit("peer", 30)
"""An address may be a whole office behind one router, so it has more free tries than an account."""
CODE = Limit("code", 5)
"""Three of a million codes are right at a time: after five guesses waiting makes the rest hopeless."""

PROVIDER = Limit("provider", 60)
"""Each begun sign-in through a provider counts until it is finished: strangers do not fill the table of those under way."""


def wait_s(limit: Limit, failures: int, last: datetime, now: datetime) -> float:
    """Seconds until the next try is allowed; 0 means now."""
    if failures < limit.free or now - last >= FORGET_FAILURES_AFTER:
        return 0.0
    wait = min(_LONGEST_WAIT_S, 2.0 ** min(20, failures - limit.free))
    return max(0.0, wait - (now - last).total_seconds())


def counter_key(kind: str, value: str) -> str:
    """The name under which failures are counted: no address or e-mail is kept readable."""
    return f"{kind}:{hashlib.sha256(value.casefold().encode()).hexdigest()[:32]}"


def link_hash(token: str) -> bytes:
    """What is kept of a one-time secret."""
    return hashlib.sha256(token.encode()).digest()


_PREFIX = "akr_"
_TOKEN = struct.Struct(">16s16sI")  # tenant, session, generation


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a refresh token says: nothing of it is stored, the session's row knows the newest generation."""

    tenant_id: str
    session_id: str
    generation: int

    def signed(self, key: bytes) -> str:
        """The text, sealed with HMAC-SHA256; the same generation always has the same text."""
        body = _TOKEN.pack(
            uuid.UUID(self.tenant_id).bytes, uuid.UUID(self.session_id).bytes, self.generation
        )
        return (
            _PREFIX
            + urlsafe_b64encode(body + hmac.digest(key, body, hashlib.sha256)).rstrip(b"=").decode()
        )


def parse_refresh_token(text: str, key: bytes) -> RefreshToken | None:
    """The token in `text`, or None if we did not make it."""
    encoded = text.removeprefix(_PREFIX)
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return None
    body, seal = raw[: _TOKEN.size], raw[_TOKEN.size :]
    if not text.startswith(_PREFIX) or not hmac.compare_digest(
        hmac.digest(key, body, hashlib.sha256), seal
    ):
        return None
    tenant, session, generation = _TOKEN.unpack(body)
    return RefreshToken(str(uuid.UUID(bytes=tenant)), str(uuid.UUID(bytes=session)), generation)


class Renewal(Enum):
    """What to do with a refresh token."""

    ROTATE = "the newest: make the next one"
    REPEAT = "the one before, a moment after its renewal: answer the same successor"
    REUSED = "an old one: somebody has a copy; end the session"
    ENDED = "the session is over"


def renewal(
    generation: int,
    *,
    newest: int,
    renewed: datetime,
    expires: datetime,
    revoked: bool,
    now: datetime,
) -> Renewal:
    """Decides about a token of `generation` of a session whose newest generation was made at `renewed`."""
    if revoked or now >= expires or generation > newest:
        return Renewal.ENDED
    if generation == newest:
        return Renewal.ROTATE
    if generation == newest - 1 and now - renewed <= REFRESH_GRACE:
        return Renewal.REPEAT
    return Renewal.REUSED
