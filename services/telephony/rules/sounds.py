"""What recordings are called at exchanges, and what their bytes are. Pure."""

import hashlib
import io
import re
import wave

MOST_NAME = 500
# A name becomes a path or an address at the exchange. So nothing climbs out of a folder, also not in the writing of addresses, and
# no backslash or control character is read there as something else.
_TRICK = re.compile(r"(^|[/\\])\.{1,2}([/\\]|$)|[\x00-\x1f\x7f\\]|%(00|2e|2f|5c)", re.IGNORECASE)
# Type -> how its bytes begin. An MP3 frame begins with eleven bits that are set.
_BEGINS = {
    "audio/wav": re.compile(rb"RIFF....WAVE", re.DOTALL),
    "audio/ogg": re.compile(rb"OggS"),
    "audio/mpeg": re.compile(rb"ID3|\xff[\xe2-\xff]"),
}
ENDINGS = {"audio/wav": "wav", "audio/ogg": "ogg", "audio/mpeg": "mp3"}


def is_name(name: str) -> bool:
    """True if an exchange may be asked for a recording of this name."""
    return 0 < len(name) <= MOST_NAME and not _TRICK.search(name)


def id_of(call_id: str, name: str) -> str:
    """The id of the call's recording that the exchange calls so: told twice, it is the same. A UUIDv7 of the call's time."""
    digest = hashlib.sha256(f"{call_id}/{name}".encode()).hexdigest()
    variant = "89ab"[int(digest[3], 16) & 3]
    return f"{call_id[:14]}7{digest[:3]}-{variant}{digest[4:7]}-{digest[7:19]}"


def type_of(sound: bytes) -> str:
    """The media type that the bytes themselves show; empty if it is no sound that players know."""
    return next((type for type, begins in _BEGINS.items() if begins.match(sound)), "")


def seconds_of(sound: bytes) -> int | None:
    """How long it is, for WAV of plain samples; None where only its exchange knows."""
    try:
        with wave.open(io.BytesIO(sound)) as opened:
            return round(opened.getnframes() / opened.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
