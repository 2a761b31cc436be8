"""Many contacts at once: made by the resource's own codec and `column_values`, brought in with COPY.

For the bench only: no history and no events are written for them. Each row is what a creation would have stored.
"""

import asyncio
import hashlib
import os
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

import chassis  # noqa: F401 - puts gen/ on the path
from chassis import codec, keys
from chassis.kit.resource import Resource
from chassis.times import to_timestamp
from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from deploy.local.settings import CHECKOUT
from services.contacts import store as contacts_store
from tests.bench.company import Company

_MADE = 2
"""Raised when this module makes other contacts."""
_CHUNK = 10_000
_TEAM_SHARE = 0.6
"""How much of everything belongs to the team: at 1,000,000 it has a 10,000th page of 50."""
_FIRST, _LAST = datetime(2022, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
_GIVEN = [
    "Łukasz", "Agnieszka", "Michał", "Zofia", "Paweł", "Małgorzata", "Budi", "Siti", "Dewi", "Agus", "Wayan",
    "Putri", "Rizky", "Nurul", "Ahmad", "Aisyah", "Faizal", "Hafiz", "Emily", "Oliver", "Grace", "Harry",
    "Charlotte", "Jack", "Amelia", "George", "Isla", "Thomas", "Żaneta", "Świętosława",
]  # fmt: skip
_SYLLABLES = [
    "wiś", "ko", "no", "mal", "dąb", "szy", "woź", "ła", "ma", "kraw", "za", "san", "wi", "ra", "se", "ku",
    "hi", "les", "nu", "sa", "u", "ab", "is", "rah", "has", "o", "yu", "sal", "zai", "smi", "tay", "bro",
    "wil", "e", "tho", "john", "ro", "wal", "wri", "go", "ma", "pe", "ri", "to",
]  # fmt: skip
_ENDINGS = [
    "wski", "wicz", "ska", "toso", "jaya", "hayu", "awan", "suma", "ayat", "tari", "dullah", "mail", "man",
    "san", "nor", "th", "lor", "wn", "son", "ns", "bert", "ker", "ght",
]  # fmt: skip
_TRADES = ["Meble", "Transport", "Bengkel", "Katering", "Plumbing", "Optics", "Kuchnie", "Logistik"]
_STAFF = 5
"""Every fifth contact works for a company, and ten for each."""
_CITIES = [
    ("Warszawa", "PL"),
    ("Łódź", "PL"),
    ("Jakarta", "ID"),
    ("Denpasar", "ID"),
    ("Johor Bahru", "MY"),
    ("Leeds", "GB"),
]


def name(chance: random.Random) -> tuple[str, str]:
    """(given, family) of somebody; about 60,000 different families."""
    family = chance.choice(_SYLLABLES) + chance.choice(_SYLLABLES) + chance.choice(_ENDINGS)
    return chance.choice(_GIVEN), family.capitalize()


def contact(number: int, of: int, company: Company) -> contact_pb2.Contact:
    """The contact of this number, as the service would have stored it; the same every time but for its id."""
    chance = random.Random(number)
    created = _FIRST + (_LAST - _FIRST) * (number / of)
    updated = min(_LAST, created + timedelta(seconds=chance.randrange(30 * 86_400)))
    given, family = name(chance)
    city, country = chance.choice(_CITIES)
    mine = chance.random() < _TEAM_SHARE
    made = contact_pb2.Contact(
        id=keys.uuid7(created.timestamp()), etag="1", create_time=to_timestamp(created), update_time=to_timestamp(updated),
        given_name=given, family_name=family, display_name=f"{given} {family}", language="en",
        owner_id=chance.choice(company.team if mine else company.strangers),
        party_roles=[party_pb2.PARTY_ROLE_CUSTOMER], lifecycle_stage=party_pb2.LIFECYCLE_STAGE_LEAD,
    )  # fmt: skip
    made.phones.add(number=f"+4860{number:07d}")
    made.emails.add(address=f"c{number}@customers.example")
    made.addresses.add(city=city, country=country)
    return made


def employers(of: int) -> int:
    """How many companies so many contacts work for."""
    return max(1, of // _STAFF // 10)


def employer(number: int, company: Company) -> company_pb2.Company:
    """The company of this number; the same every time."""
    chance = random.Random(number)
    name_ = f"{name(chance)[1]} {chance.choice(_TRADES)}"
    made = company_pb2.Company(
        id=_employer_id(number, company), etag="1", name=name_, owner_id=chance.choice(company.team)
    )
    made.create_time.CopyFrom(to_timestamp(_FIRST))
    made.update_time.CopyFrom(to_timestamp(_FIRST))
    return made  # fmt: skip


def _employer_id(number: int, company: Company) -> str:
    return str(uuid.uuid5(uuid.UUID(company.tenant_id), str(number)))


def _staff(numbers: Sequence[int], of: int, company: Company) -> Iterator[contact_pb2.Contact]:
    for number in numbers:
        made = contact(number, of, company)
        if number % _STAFF == 0:
            made.company_id = _employer_id(number // _STAFF % employers(of), company)
        yield made


def _records(
    resource: Resource[Any], made: Iterable[Any], company: Company
) -> Iterator[tuple[Any, ...]]:
    for one in made:
        values = resource.column_values(one)
        values["custom"] = "{}"
        yield (
            company.tenant_id, one.id, 1, one.create_time.ToDatetime(UTC), one.update_time.ToDatetime(UTC), None,
            one.SerializeToString(), codec.to_json(one).decode(), *(values[column] for column in resource.extra),
        )  # fmt: skip


async def copy(url: str, resource: Resource[Any], made: Iterable[Any], company: Company) -> None:
    """Put records straight into their table."""
    connection = await asyncpg.connect(url)
    columns = ["tenant_id", "id", "version", "create_time", "update_time", "delete_time", "doc"]
    try:
        await connection.copy_records_to_table(
            resource.name,
            records=_records(resource, made, company),
            columns=[*columns, "json", *resource.extra],
        )
    finally:
        await connection.close()


def _copy_staff(url: str, numbers: Sequence[int], of: int, company: Company) -> None:
    asyncio.run(copy(url, contacts_store.contacts, _staff(numbers, of, company), company))


async def load(url: str, company: Company, count: int) -> None:
    """Puts `count` contacts and their companies into the database at `url` (its administrator's), then vacuums and analyses."""
    firms = (employer(number, company) for number in range(employers(count)))
    # First, because a trigger writes the company's name into its people's search line.
    await copy(url, contacts_store.companies, firms, company)
    connection = await asyncpg.connect(url)
    try:
        # Building an index over all rows costs a fraction of keeping it while they come; the primary key stays.
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'contacts' AND indexname <> 'contacts_pkey'"
        )
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['indexname']}")
        with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            chunks = [range(at, min(at + _CHUNK, count)) for at in range(0, count, _CHUNK)]
            loop = asyncio.get_running_loop()
            await asyncio.gather(
                *(
                    loop.run_in_executor(pool, _copy_staff, url, chunk, count, company)
                    for chunk in chunks
                )
            )
        await connection.execute("SET maintenance_work_mem = '512MB'")
        for index in indexes:
            await connection.execute(index["indexdef"])
        await connection.execute("VACUUM (ANALYZE) contacts, companies")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def fingerprint() -> str:
    """Changes when a data directory loaded before would no longer be what this program makes."""
    known = hashlib.sha256()
    for path in sorted(CHECKOUT.glob("services/*/migrations/versions/*.*")):
        known.update(path.read_bytes())
    known.update(contact_pb2.DESCRIPTOR.serialized_pb + party_pb2.DESCRIPTOR.serialized_pb)
    known.update(b"%d" % _MADE)
    return known.hexdigest()[:16]
