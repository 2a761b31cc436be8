"""One-time and recovery codes."""

import itertools
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import totp

# RFC 6238, appendix B, SHA-1: the last six of the eight digits.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
VECTORS = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
NOW = datetime(2026, 11, 23, 9, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(("epoch", "code"), VECTORS)
def test_codes_are_those_of_the_standard(epoch: int, code: str) -> None:
    now = datetime.fromtimestamp(epoch, UTC)

    assert totp.matching_step(SECRET, code, now=now, after_step=0) == epoch // 30


@given(offset_s=st.integers(-200, 200))
def test_a_code_is_good_for_its_step_and_one_beside_it(offset_s: int) -> None:
    shown = NOW + timedelta(seconds=offset_s)
    code = pyotp.TOTP(SECRET).at(shown)

    found = totp.matching_step(SECRET, code, now=NOW, after_step=0)

    away = int(shown.timestamp()) // 30 - int(NOW.timestamp()) // 30
    assert found == (int(shown.timestamp()) // 30 if abs(away) <= 1 else None)


def test_a_used_step_and_those_before_it_are_used() -> None:
    step = int(NOW.timestamp()) // 30
    codes = [pyotp.TOTP(SECRET).at(NOW + timedelta(seconds=30 * n)) for n in (-1, 0, 1)]

    found = [totp.matching_step(SECRET, c, now=NOW, after_step=step) for c in codes]

    assert found == [None, None, step + 1]


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "２８７０８２", "287082 "])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    now = datetime.fromtimestamp(59, UTC)

    assert totp.matching_step(SECRET, code, now=now, after_step=0) is None


def test_recovery_codes_are_many_different_and_typed_in_any_way() -> None:
    codes = list(itertools.chain.from_iterable(totp.new_recovery_codes() for _ in range(20)))
    code = codes[0]

    assert len(set(codes)) == 200
    assert all(totp.is_recovery_code(each) and len(each) == 19 for each in codes)
    typed = (code, code.upper(), code.replace("-", ""), f" {code.replace('-', ' ')} ")
    assert len({totp.recovery_hash(each, b"k" * 32, "ana") for each in typed}) == 1
    assert totp.recovery_hash(code, b"k" * 32, "eva") != totp.recovery_hash(code, b"k" * 32, "ana")
    assert not totp.is_recovery_code("123 456")


def test_the_picture_is_a_drawing_without_anything_to_run() -> None:
    uri = totp.uri(SECRET, account="ana@example.com", issuer="Okna & <Drzwi>")

    picture = ElementTree.fromstring(totp.qr_svg(uri))

    assert {each.tag.rpartition("}")[2] for each in picture.iter()} == {"svg", "path"}
    assert pyotp.parse_uri(uri).issuer == "Okna & <Drzwi>"
