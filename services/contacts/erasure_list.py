"""The erasure list: what must be erased again if an older backup is restored.

One small file an erasure, beside the other files of the installation (`<data>/erasures/<tenant>/<erasure>.json`), so that it is
in every backup and outlives a restore, which unites the lists (deploy/local/erasures.py). It holds ids and keyed hashes of
phones and e-mails, never the values.
"""

import asyncio
import functools
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis.call import Cause
from chassis.erasure import CAUSE
from chassis.fold import phone_digits
from chassis.runtime import Runtime
from chassis.tx import Tx
from services.contacts import certificates
from services.contacts.rules.privacy import Traits
from services.contacts.store import erasures, privacy
from services.contacts.store.erasures import ErasureRow

log = logging.getLogger(__name__)
FOLDER = "erasures"


def hash_of(tx: Tx, kind: str, value: str) -> str:
    """What is kept of a phone's digits or an e-mail: without the installation's secret nobody can try numbers out."""
    key = tx.runtime.settings.derived("erasure-list")
    said = f"{tx.tenant}/{kind}/{value}".encode()
    return hmac.digest(key, said, hashlib.sha256).hex()[:32]


def hashes(tx: Tx, traits: Traits) -> set[str]:
    """Of everything by which the person could be reached."""
    return {hash_of(tx, "phone", each) for each in traits.digits} | {
        hash_of(tx, "email", each) for each in traits.emails if each
    }


def asked_hashes(tx: Tx, phone: str, email: str) -> list[str]:
    """What a search in the list looks for."""
    found = [hash_of(tx, "phone", phone_digits(phone))] if phone else []
    return found + ([hash_of(tx, "email", email.strip().lower())] if email else [])


async def write(runtime: Runtime, tenant_id: str, row: ErasureRow) -> None:
    """Puts the erasure on the list; durable when this returns."""
    entry = {
        "erasure_id": row.id, "contact_id": row.contact_id, "merged_ids": row.merged_ids, "actor": row.actor,
        "hashes": row.hashes, "create_time": row.create_time.isoformat(),
    }  # fmt: skip
    place = runtime.settings.data_dir / FOLDER / tenant_id / f"{row.id}.json"
    await asyncio.to_thread(_write, place, entry)


def _write(place: Path, entry: dict[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(f".{os.getpid()}")
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(entry, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(place)


def _entries(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for place in sorted((root / FOLDER).glob("*/*.json")):
        yield place.parent.name, json.loads(place.read_text(encoding="utf-8"))


async def reapply(runtime: Runtime) -> None:
    """Before the first call is served: erases again whoever is on the list and is there, because a backup was older.

    The tables are free of him when this returns; files, streams and confirmations follow as after any erasure.
    """
    from services.contacts import erasing  # erasing writes the list that this reads

    for tenant_id, entry in await asyncio.to_thread(
        lambda: list(_entries(runtime.settings.data_dir))
    ):
        write = functools.partial(runtime.run_system, tenant_id, Cause(CAUSE, entry["erasure_id"]))
        row = await write(functools.partial(_begin_again, entry=entry, erasing=erasing))
        if row is not None:
            await erasing.look_and_take(write, runtime, tenant_id, row, keep=row.operation_id)
            log.warning("erased again after a restore: erasure %s", entry["erasure_id"])


async def _begin_again(tx: Tx, entry: dict[str, Any], erasing: Any) -> ErasureRow | None:
    """The certificate, open again; None if the person is not there."""
    ids = [entry["contact_id"], *entry["merged_ids"]]
    await tx.lock(
        f"erasure/{entry['erasure_id']}"
    )  # every process of the installation reads the list
    # The certificate first: whoever is just taking the person holds it, and only after his commit one sees who is there. The other
    # way round a second process began again when all was taken, found nobody, and so forgot which files are his.
    row = await erasures.find_erasure(tx, entry["erasure_id"], lock=True)
    if not await privacy.still_there(tx, ids):
        return None
    if row is not None and row.erase_time is None:
        return row  # begun already, by another process or before a kill
    if row is None:
        moment = datetime.fromisoformat(entry["create_time"]).astimezone(UTC)
        row = ErasureRow(
            entry["erasure_id"], entry["contact_id"], entry["merged_ids"], "", entry["actor"],
            certificates.who_answers(), moment, operation_id=entry["erasure_id"], hashes=entry["hashes"],
        )  # fmt: skip
        await erasures.add_erasure(tx, row)
    row.erase_time, row.done_time, row.reapply_time = None, None, tx.now
    await erasures.forget_reports(tx, row.id)
    await erasing.work_on(tx, row)
    return row
