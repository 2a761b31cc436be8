"""/v1/recordings/{id}/audio: the sound of a recording, for players, which ask for it in ranges.

Telephony decides who may listen, and notes who does (PlayRecording), before each answer; so a right that was taken away ends at
the next range. Whoever may not listen is told what he would be told of a recording that does not exist.
"""

from collections.abc import Callable

import orjson

from chassis import errors
from chassis.blobs import BlobStore
from crm.telephony.v1 import recording_pb2
from gateway import files
from gateway.calls import Calls
from gateway.exchange import Exchange, Response

PATH = "/v1/recordings/{id}/audio"
_PLAY = "/crm.telephony.v1.RecordingsService/PlayRecording"


class Playing:
    """The endpoint. `authorization` is the caller's own: nobody listens through another's eyes."""

    def __init__(
        self,
        store: BlobStore,
        calls: Calls,
        authorization: Callable[[Exchange], str],
        authenticate: files.Authenticate,
    ) -> None:
        self._store, self._calls = store, calls
        self._authorization, self._authenticate = authorization, authenticate

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        authorization = self._authorization(exchange)
        request = recording_pb2.PlayRecordingRequest(id=variables[0])
        try:
            answer = await self._calls.ask(
                _PLAY, request, self._calls.metadata(exchange, authorization)
            )
        except (errors.PermissionDenied, errors.InvalidArgument):
            raise errors.NotFound(f"there is no recording with id {variables[0][:60]}") from None
        tenant, _, _ = await self._authenticate(authorization)
        blob = await self._store.get(tenant, orjson.loads(answer)["fileId"])
        return files.content(self._store, exchange, tenant, blob)
