"""Signing in through a company's identity provider, as a browser does: two addresses that only redirect.

The browser's key, which proves that the one who comes back is the one who went, waits in a cookie meanwhile; the tokens end
in the same cookies as after a password. What is asked of the provider, and believed, is identity's.
"""

from urllib.parse import urlencode

import orjson

from crm.identity.v1 import oidc_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Header, Response
from gateway.routes import Table
from gateway.sessions import Sessions

BROWSER_COOKIE = "crm_oidc"
_PATH = "/v1/auth/oidc"
_SERVICE = "/crm.identity.v1.IdentityProviderService/"


class ProviderSignIn:
    """`GET /v1/auth/oidc/{key}?returnPath=/deals` leads to the provider, `GET /v1/auth/oidc/callback` back."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    def bind(self, table: Table) -> None:
        """Adds both addresses."""
        table.add("GET", f"{_PATH}/{{key}}", self.begin)
        table.add("GET", f"{_PATH}/callback", self.finish)

    async def begin(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """To the provider's page."""
        request = oidc_pb2.BeginProviderSignInRequest(
            key=variables[0], return_path=exchange.argument("returnPath")
        )
        answer = orjson.loads(await self._ask("BeginProviderSignIn", request, exchange))
        cookie = self._sessions.passing(
            BROWSER_COOKIE, answer["browserKey"], _PATH, answer["expiresIn"]
        )
        return _redirect(answer["authorizationUrl"], [cookie])

    async def finish(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """Signed in, on the page that was asked for; where a code is missing, with the challenge behind #."""
        request = oidc_pb2.FinishProviderSignInRequest(
            code=exchange.argument("code"),
            state=exchange.argument("state"),
            browser_key=exchange.cookie(BROWSER_COOKIE),
            issuer=exchange.argument("iss"),
            error=exchange.argument("error"),
        )
        answer = orjson.loads(await self._ask("FinishProviderSignIn", request, exchange))
        login = answer.get("login", {})
        cookies = self._sessions.kept(login)
        location = answer.get("returnPath", "/")
        if challenge := login.get("secondFactor"):
            # Behind #: browsers keep it for the page, no server and no log gets it.
            asked = {"challenge": challenge["challenge"]}
            asked |= {"enrolment": "1"} if challenge.get("enrolment") else {}
            location = f"{location.partition('#')[0]}#{urlencode(asked)}"
        return _redirect(location, [*cookies, self._sessions.passing(BROWSER_COOKIE, "", _PATH, 0)])

    async def _ask(
        self,
        name: str,
        request: oidc_pb2.BeginProviderSignInRequest | oidc_pb2.FinishProviderSignInRequest,
        exchange: Exchange,
    ) -> bytes:
        return await self._calls.ask(_SERVICE + name, request, self._calls.metadata(exchange, ""))


def _redirect(location: str, cookies: list[Header]) -> Response:
    headers = [(b"location", location.encode("ascii")), (b"cache-control", b"no-store"), *cookies]
    return Response(303, headers=headers)
