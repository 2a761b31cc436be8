"""Which messages tell of an erased record and which only refer to it; the answer, the night and the files of an erasure."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from chassis import erasure
from chassis.blobs import LocalBlobStore
from chassis.erasure_files import files_holding, remove_files, written_files
from chassis.keys import uuid7
from crm.common.v1 import privacy_pb2

WHO, OTHER = "0192f3a0-0000-7000-8000-000000000001", "0192f3a0-0000-7000-8000-000000000002"


def tells(event: dict[str, Any], subject: str = "") -> bool:
    return erasure.tells_of({"ce-subject": subject}, orjson.dumps(event), {WHO})


@pytest.mark.parametrize(
    "event",
    [
        {"thing": {"id": WHO, "name": "x"}},
        {"thing": {"id": OTHER, "ownerThingId": WHO}},
        {"thingId": WHO},
        {"thingIds": [OTHER, WHO]},
    ],
)
def test_what_names_the_record_at_the_top_tells_of_it(event: dict[str, Any]) -> None:
    assert tells(event)


def test_what_is_about_the_record_tells_of_it() -> None:
    assert tells({"thing": {"name": "x"}}, subject=WHO)


@pytest.mark.parametrize(
    "event",
    [
        {"thing": {"id": OTHER, "relations": [{"thingId": WHO}]}},
        {"thing": {"id": OTHER, "referrer": {"thingId": WHO}}},
        {"thing": {"id": OTHER}},
        {"change": {"actor": {"id": WHO}}, "thing": {"id": OTHER}},
    ],
)
def test_what_only_refers_stays(event: dict[str, Any]) -> None:
    assert not tells(event, subject=OTHER)


def test_what_the_erasure_and_the_audit_say_stays() -> None:
    assert not tells({"change": {"cause": {"kind": "erasure"}}, "thingId": WHO})
    assert not tells({"audited": {"objectId": WHO}, "thingId": WHO})


def test_what_nobody_can_read_and_names_the_record_goes() -> None:
    assert erasure.tells_of({}, b"{broken " + WHO.encode(), {WHO})
    assert not erasure.tells_of({}, b"{broken", {WHO})


def test_a_service_without_an_answer_cannot_take_part() -> None:
    with pytest.raises(
        LookupError, match=r"crm\.gateway\.v1 declares no event with a field report"
    ):
        erasure.answer_of("crm.gateway.v1", "report", privacy_pb2.ErasureReport)


@pytest.mark.parametrize(
    ("now", "night"),
    [
        (datetime(2030, 5, 1, 1, 59, tzinfo=UTC), datetime(2030, 5, 1, 2, 0, tzinfo=UTC)),
        (datetime(2030, 5, 1, 2, 0, tzinfo=UTC), datetime(2030, 5, 2, 2, 0, tzinfo=UTC)),
        (datetime(2030, 5, 31, 23, 0, tzinfo=UTC), datetime(2030, 6, 1, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_large_database_waits_for_the_next_night(now: datetime, night: datetime) -> None:
    assert erasure.tonight(now) == night


# -- files -----------------------------------------------------------------------------------------------

TENANT = uuid7()


@pytest.fixture
def runtime(tmp_path: Path) -> Any:
    """What the functions about files use of a runtime: its blob store."""
    return SimpleNamespace(blobs=LocalBlobStore(tmp_path))


async def stored(runtime: Any, content: bytes, type: str = "text/csv") -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blob = await runtime.blobs.put(
        TENANT, chunks(), type=type, name="x", owner_id="", max_bytes=1 << 20
    )
    return str(blob.id)


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.xml", b"nobody")
        archive.writestr("sheet.xml", content * 50)
    return made.getvalue()


async def test_who_stands_in_a_file_is_found_in_zip_files_too(runtime: Any) -> None:
    plain, packed = await stored(runtime, b"a;Ana;b"), await stored(runtime, zipped(b"Ana"))
    damaged = await stored(runtime, b"PK damaged Ana")
    others = [await stored(runtime, content) for content in (b"Eva", zipped(b"Eva"))]
    asked = [plain, packed, damaged, *others, uuid7()]  # the last is no file

    assert b"Ana" not in zipped(b"Ana")
    found = await files_holding(runtime, TENANT, asked, lambda content: b"Ana" in content)

    assert found == {plain, packed, damaged}


async def test_only_what_is_a_file_is_removed_and_counted(runtime: Any) -> None:
    one, kept = await stored(runtime, b"1"), await stored(runtime, b"2")

    assert await remove_files(runtime, TENANT, [one, one, uuid7()]) == 1
    assert await remove_files(runtime, TENANT, [one]) == 0
    assert await written_files(runtime, TENANT) == {kept}


async def test_pictures_are_no_files_that_programs_write_records_into(runtime: Any) -> None:
    written = [await stored(runtime, b"{}", type) for type in ("application/json", "text/plain")]
    await stored(runtime, b"", "image/png")

    assert await written_files(runtime, TENANT) == set(written)
