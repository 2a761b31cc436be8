"""Sounds of recordings that lie at a web address, as providers and web servers beside exchanges give them out."""

from chassis import outbound, signed_calls
from services.telephony.pbx.adapter import MOST_SOUND, SOUND_S, Astray, Impossible, TooLarge

_GIVEN = 200


async def given(address: str, *, signature: str = "", private: bool) -> bytes:
    """The whole sound; TooLarge above MOST_SOUND, Astray where it may not lie, Impossible for any other reason. Redirects are not followed.

    `private`: also plain http and addresses in one's own network.
    """
    headers = {signed_calls.HEADER: signature} if signature else {}
    try:
        answer = await outbound.call(
            "GET", address, outbound.Content(headers), private=private, most_bytes=MOST_SOUND, within_s=SOUND_S
        )  # fmt: skip
    except outbound.Unanswered as failed:
        if failed.problem is outbound.Problem.TOO_LONG:
            raise TooLarge(f"the recording has more than {MOST_SOUND} bytes") from None
        if failed.problem in (outbound.Problem.NOT_HTTPS, outbound.Problem.NOT_PUBLIC):
            raise Astray(failed.problem) from None
        raise Impossible(f"the recording is not given out ({failed.problem})") from None
    if answer.status != _GIVEN:
        raise Impossible(f"asked for the recording, the other side answered {answer.status}")
    return answer.body
