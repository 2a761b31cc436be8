"""Who takes calls."""

from dataclasses import replace

from chassis.errors import InvalidArgument, Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit.page_token import PageTokenError
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.telephony.v1 import presence_pb2 as pb
from services.telephony import people, store
from services.telephony.store.presences import Presence


class PhonePresences(Servicer):
    """`/v1/phonePresences`."""

    @writes
    async def SetPhonePresence(
        self, request: pb.SetPhonePresenceRequest, tx: Tx
    ) -> pb.PhonePresence:
        user_id = people.user_of(tx.actor)
        known = (await store.presences.presences_of(tx, [user_id]))[user_id]
        until = to_datetime(request.until) if request.HasField("until") else None
        said = replace(known, do_not_disturb=request.do_not_disturb, until=until)
        await store.presences.put_presence(tx, said)
        return _shown(said, tx)

    @reads
    async def ListPhonePresences(
        self, request: pb.ListPhonePresencesRequest, tx: Tx
    ) -> pb.ListPhonePresencesResponse:
        size, identity = request.page_size or 50, f"{tx.tenant}|presences|{request.department_id}"
        after = _place(tx, request.page_token, identity) if request.page_token else ""
        wanted = [
            id for id in await store.users_with_extensions(tx)
            if id > after and people.is_active(tx, id)
            and request.department_id in ("", people.home_of(tx, id))
        ]  # fmt: skip
        page = wanted[:size]
        known = await store.presences.presences_of(tx, page)
        answer = pb.ListPhonePresencesResponse(presences=[_shown(known[id], tx) for id in page])
        if len(wanted) > size:
            answer.next_page_token = tx.runtime.page_tokens.make([page[-1]], False, identity)
        return answer


def _place(tx: Tx, token: str, identity: str) -> str:
    try:
        return str(tx.runtime.page_tokens.read(token, shape=identity).values[0])
    except PageTokenError as error:
        raise InvalidArgument(str(error), [Violation("page_token", str(error))]) from None


def _shown(presence: Presence, tx: Tx) -> pb.PhonePresence:
    noting = presence.wrap_up_until is not None and presence.wrap_up_until > tx.now
    said = pb.PhonePresence(
        user_id=presence.user_id, do_not_disturb=not presence.disturbed(tx.now), speaking=presence.speaking,
        call_id=presence.call_id if presence.speaking or noting else "",
    )  # fmt: skip
    if said.do_not_disturb and presence.until is not None:
        said.until.CopyFrom(to_timestamp(presence.until))
    if noting and presence.wrap_up_until is not None:
        said.wrap_up_until.CopyFrom(to_timestamp(presence.wrap_up_until))
    return said
