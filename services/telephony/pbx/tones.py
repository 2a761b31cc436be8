"""What the simulated exchange gives as the sound of a recording: a tone of its own for each name. Pure."""

import io
import math
import struct
import wave
import zlib

SECONDS = 5
_RATE = 8000  # a telephone's
_LOWEST_HZ, _STEPS = 300, 24
_LOUD = 6000  # of 32767


def wav(name: str) -> bytes:
    """Some seconds of a tone, as WAV of one channel with 16 bits."""
    hertz = _LOWEST_HZ * 2 ** (zlib.crc32(name.encode()) % _STEPS / 12)
    second = [int(_LOUD * math.sin(2 * math.pi * hertz * at / _RATE)) for at in range(_RATE)]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(struct.pack(f"<{_RATE}h", *second) * SECONDS)
    return file.getvalue()
