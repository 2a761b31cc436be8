"""Recordings: who may listen, who did, and the end of the sound."""

from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, connection_pb2
from crm.telephony.v1 import recording_pb2 as pb
from services.telephony import dialling, errors, recordings, store
from services.telephony.pbx.facts import Order

Call = call_pb2.Call
_PAGE = 50
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class RecordingsRpcs(standard(store.recordings.recordings, on_save=recordings.check), Servicer):  # type: ignore[misc]
    """`/v1/recordings`."""

    service = "crm.telephony.v1.RecordingsService"

    @writes
    async def PlayRecording(
        self, request: pb.PlayRecordingRequest, tx: Tx
    ) -> pb.PlayRecordingResponse:
        recording = await store.recordings.recordings.get(tx, request.id)
        await recordings.played(tx, recording)
        return pb.PlayRecordingResponse(
            file_id=recording.sound_id, content_type=recording.content_type, size=recording.size
        )

    @writes
    async def EraseRecording(self, request: pb.EraseRecordingRequest, tx: Tx) -> pb.Recording:
        recording = await store.recordings.recordings.get(tx, request.id)
        await recordings.erase(tx, recording)
        return recording

    @writes
    async def PauseRecording(
        self, request: pb.PauseRecordingRequest, tx: Tx
    ) -> pb.PauseRecordingResponse:
        call = await store.calls.calls.get(tx, request.call_id, action="dial")
        if call.state == Call.STATE_ENDED:
            raise errors.CallWrongState("recorded further", "over", "ringing or going on")
        connection = await store.connections.find(tx, call.connection_id)
        if connection is None or connection.kind == connection_pb2.Connection.KIND_WEBHOOK:
            raise errors.NotPossibleHere("pause recordings")
        await dialling.ask(tx, call, Order.RESUME_RECORDING if request.resume else Order.PAUSE_RECORDING)  # fmt: skip
        return pb.PauseRecordingResponse()

    @reads
    async def ListListenings(
        self, request: pb.ListListeningsRequest, tx: Tx
    ) -> pb.ListListeningsResponse:
        recording = await store.recordings.recordings.get(tx, request.recording_id)
        size, identity = request.page_size or _PAGE, f"{tx.tenant}|listenings|{recording.id}"
        before = _LAST_ID
        if request.page_token:
            before = str(tx.runtime.page_tokens.read(request.page_token, shape=identity).values[0])
        rows = await store.recordings.listenings_before(tx, recording.id, before, size + 1)
        answer = pb.ListListeningsResponse()
        for row in rows[:size]:
            answer.listenings.add(user_id=str(row["user_id"]), time=to_timestamp(row["time"]))
        if len(rows) > size:
            answer.next_page_token = tx.runtime.page_tokens.make([str(rows[size - 1]["id"])], True, identity)  # fmt: skip
        return answer
