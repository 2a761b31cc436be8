"""Sign-in by cookie for browsers: the tokens of the API, kept where scripts cannot read them.

A browser that sends the header X-CSRF (any value: no other site can set it without our consent) gets its tokens as HttpOnly
cookies instead of in the body. From then on its reads need nothing, and its unsafe requests need X-CSRF again. A bearer
token always wins over the cookie. The services know nothing of cookies.

Whoever signs out expects it at once, and the directory brings the news to the services a moment later: so the process that
carried the sign-out refuses the session itself from then on.
"""

import time
from collections.abc import Callable
from typing import Any

import orjson

from chassis import errors
from chassis.authentication import ACCESS_TOKEN_LIFE_S, SessionEnded, unproven_claims
from gateway.edge import ACCESS_COOKIE
from gateway.exchange import Exchange, Header, Response
from gateway.routes import Binding

REFRESH_COOKIE = "crm_refresh"
CSRF_HEADER = b"x-csrf"
SAFE = ("GET", "HEAD", "OPTIONS")

_SERVICE = "/crm.identity.v1.IdentityService/"
_LOGIN, _REFRESH, _LOGOUT = _SERVICE + "Login", _SERVICE + "Refresh", _SERVICE + "Logout"
_VERIFY = "/crm.identity.v1.SecondFactorService/VerifySecondFactor"
_FINISH = "/crm.identity.v1.IdentityProviderService/FinishProviderSignIn"
_LOGOUT_EVERYWHERE = _SERVICE + "LogoutEverywhere"

# A cookie path matches whole segments only, so /v1/auth would never be sent to /v1/auth:refresh.
_REFRESH_PATH = "/v1/auth:refresh"
_ACCESS_PATH = "/v1"


class CsrfMissing(errors.PermissionDenied):
    """A change was asked for with nothing but a cookie."""

    reason = "CSRF_HEADER_MISSING"


class Ended:
    """The sessions that ended through this process, for as long as an access token of theirs may live."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}  # in the order in which they are forgotten

    def note(self, authorization: str) -> None:
        """The session of a token that a service has just accepted is over."""
        now = self._clock()
        while self._until and self._until[oldest := next(iter(self._until))] <= now:
            del self._until[oldest]
        if session_id := _session_of(authorization):
            self._until.setdefault(session_id, now + ACCESS_TOKEN_LIFE_S)

    def check(self, authorization: str) -> None:
        """SessionEnded for a token of such a session."""
        if self._until and _session_of(authorization) in self._until:
            raise SessionEnded


def _session_of(authorization: str) -> str:
    return str(unproven_claims(authorization.partition(" ")[2]).get("sid", ""))


class Sessions:
    """Cookies in and out; `secure` marks them for https only."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self.over = Ended()

    def authorization(self, exchange: Exchange) -> str:
        """The Authorization value for the services, empty without credentials.

        CsrfMissing for a change by cookie alone, SessionEnded for a session that signed out through this process.
        """
        authorization = self._sent(exchange)
        self.over.check(authorization)
        return authorization

    def _sent(self, exchange: Exchange) -> str:
        bearer = exchange.headers.get(b"authorization")
        if bearer is not None:
            return bearer.decode("latin-1")
        token = exchange.cookie(ACCESS_COOKIE) if b"cookie" in exchange.headers else ""
        if not token:
            return ""
        if exchange.method not in SAFE and CSRF_HEADER not in exchange.headers:
            raise CsrfMissing("changes signed in by cookie need the header X-CSRF; send X-CSRF: 1")
        return f"Bearer {token}"

    def fill(self, binding: Binding, exchange: Exchange, body: bytes) -> bytes:
        """The body of a renewal made from the cookie, where the client sent none."""
        if binding.method.full_name != _REFRESH or body.strip() not in (b"", b"{}"):
            return body
        token = exchange.cookie(REFRESH_COOKIE)
        if not token:
            return body
        if CSRF_HEADER not in exchange.headers:
            raise CsrfMissing("renewing by cookie needs the header X-CSRF; send X-CSRF: 1")
        return orjson.dumps({"refreshToken": token})

    def keep(self, binding: Binding, exchange: Exchange, response: Response) -> None:
        """Moves the tokens of a successful sign-in from the body into cookies; after signing out clears them and ends the session."""
        name = binding.method.full_name
        if name in (_LOGOUT, _LOGOUT_EVERYWHERE):
            self.over.note(self._sent(exchange))
            response.headers += self.cleared()
        elif name in (_LOGIN, _REFRESH, _VERIFY, _FINISH) and CSRF_HEADER in exchange.headers:
            answer = orjson.loads(response.body)
            response.headers += self.kept(answer.get("login", {}) if name == _FINISH else answer)
            response.body = orjson.dumps(answer)

    def kept(self, login: dict[str, Any]) -> list[Header]:
        """The cookies of a sign-in, its tokens taken out of `login`; none while the second factor is missing."""
        access, refresh = login.pop("accessToken", ""), login.pop("refreshToken", "")
        if not access:
            return []
        return [
            self._cookie(ACCESS_COOKIE, access, _ACCESS_PATH, login.get("expiresIn", 0)),
            self._cookie(REFRESH_COOKIE, refresh, _REFRESH_PATH, login.get("refreshExpiresIn", 0)),
        ]

    def ended(self, binding: Binding, exchange: Exchange, error: errors.CrmError) -> list[Header]:
        """Cookies to clear with a refusal: a session that cannot be renewed or signed out of is over for this browser."""
        if error.code != errors.Unauthenticated.code or b"cookie" not in exchange.headers:
            return []
        return (
            self.cleared()
            if binding.method.full_name in (_REFRESH, _LOGOUT, _LOGOUT_EVERYWHERE)
            else []
        )

    def cleared(self) -> list[Header]:
        return [
            self._cookie(ACCESS_COOKIE, "", _ACCESS_PATH, 0),
            self._cookie(REFRESH_COOKIE, "", _REFRESH_PATH, 0),
        ]

    def passing(self, name: str, value: str, path: str, max_age_s: int) -> Header:
        """A cookie of a sign-in under way, empty and 0 to take it away."""
        return self._cookie(name, value, path, max_age_s)

    def _cookie(self, name: str, value: str, path: str, max_age_s: int) -> Header:
        secure = "; Secure" if self._secure else ""
        text = (
            f"{name}={value}; Path={path}; Max-Age={int(max_age_s)}; HttpOnly; SameSite=Lax{secure}"
        )
        return b"set-cookie", text.encode("latin-1")
