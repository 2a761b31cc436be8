"""Names and bytes of recordings."""

import pytest

from chassis.keys import uuid7
from services.telephony.pbx import tones
from services.telephony.rules import sounds


@pytest.mark.parametrize(
    "name",
    [
        "1795396118.4.wav",
        "in/2026/call 7.wav",
        "/var/spool/asterisk/monitor/1.wav",
        "https://pbx.example/r/1?key=2",
        "a..b.wav",
    ],
)
def test_names_of_exchanges_are_taken(name: str) -> None:
    assert sounds.is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../../etc/passwd",
        "a/../b.wav",
        "a/./b.wav",
        "..\\b.wav",
        "a\\b.wav",
        "%2e%2e/b.wav",
        "a%2Fb.wav",
        "a\0.wav",
        "a\r\nHost: b",
        "a" * 501,
    ],
)
def test_names_that_lead_elsewhere_are_not(name: str) -> None:
    assert not sounds.is_name(name)


def test_a_recording_told_twice_is_one() -> None:
    call, other = uuid7(), uuid7()
    id = sounds.id_of(call, "a.wav")
    assert id == sounds.id_of(call, "a.wav")
    assert len({id, sounds.id_of(call, "b.wav"), sounds.id_of(other, "a.wav")}) == 3
    assert (len(id), id[:13], id[14]) == (36, call[:13], "7")


@pytest.mark.parametrize(
    ("sound", "type"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"OggS\x00", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"<html><script>", ""),
        (b"RIFF\x24\x00\x00\x00AVI ", ""),
        (b"", ""),
    ],
)
def test_bytes_show_their_type(sound: bytes, type: str) -> None:
    assert sounds.type_of(sound) == type


def test_plain_samples_tell_their_length() -> None:
    tone = tones.wav("a.wav")
    assert (sounds.type_of(tone), sounds.seconds_of(tone)) == ("audio/wav", tones.SECONDS)
    assert tone == tones.wav("a.wav") != tones.wav("c.wav")
    assert sounds.seconds_of(tone[:20]) is None
