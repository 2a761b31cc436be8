"""Whose phone a channel is, and which number is in what was dialled."""

import pytest

from services.telephony.pbx import phones
from services.telephony.pbx.facts import Side
from services.telephony.pbx.phones import Phones

PHONES = Phones(extensions={"PJSIP/agent1": "101"}, mobiles={"+48501502503": "101", "123": "102"})


@pytest.mark.parametrize(
    ("channel", "side", "path"),
    [
        ("PJSIP/agent1-0000000c", Side.COLLEAGUE, ""),
        ("PJSIP/agent-0000000c", Side.OUTSIDE, ""),
        ("SIP/my-trunk-0000000c", Side.OUTSIDE, ""),
        ("Local/101@from-agents-00000000;1", Side.EXCHANGE, "Local/101@from-agents-00000000"),
        ("Snoop/1795396118.4-00000001", Side.EXCHANGE, ""),
    ],
)
def test_channel_s_name_tells_whose_it_is(channel: str, side: Side, path: str) -> None:
    assert (PHONES.side(channel), phones.path(channel)) == (side, path)


@pytest.mark.parametrize(
    ("dialstring", "number"),
    [
        ("trunk/sip:48600100200@127.0.0.1:5090", "48600100200"),
        ("+48600100200@trunk", "+48600100200"),
        ("trunk/112", "112"),
        ("48221112233/sip:600100200@host", "600100200"),
        ("agent1", ""),
        ("trunk/sip:reception@host", ""),
        ("", ""),
    ],
)
def test_number_in_what_was_dialled(dialstring: str, number: str) -> None:
    trunk = "PJSIP/48221112233-01" if dialstring.startswith("48221112233") else "PJSIP/trunk-01"

    assert phones.called(dialstring, trunk) == number


@pytest.mark.parametrize(
    ("number", "whose"),
    [
        ("48501502503", (Side.COLLEAGUE, "101")),
        ("0501502503", (Side.COLLEAGUE, "101")),
        ("48501502504", (Side.OUTSIDE, "48501502504")),
        ("123", (Side.OUTSIDE, "123")),
        ("2503", (Side.OUTSIDE, "2503")),
    ],
    ids=["international", "national", "another", "too short to tell", "a part"],
)
def test_mobile_numbers_are_told_in_any_spelling(number: str, whose: tuple[Side, str]) -> None:
    assert PHONES.whose(number) == whose


@pytest.mark.parametrize(
    ("number", "outside"),
    [("48600100200", "48600100200"), ("101", ""), ("600", ""), ("*97", ""), ("s", ""), ("", "")],
)
def test_extensions_and_services_are_not_outside(number: str, outside: str) -> None:
    assert PHONES.outside(number) == outside
