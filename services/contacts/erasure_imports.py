"""Imports and erasures: what an import remembers of its file may hold people who never became a record.

Its samples lose the values, its old versions go, and so do the lines, planned records and keys in which one of them stands. The
counts stay. An import that is planned but not run has forgotten the person too.
"""

from collections.abc import Collection

from chassis.kit import bulk
from chassis.tx import Tx
from services.contacts.rules import privacy as rules
from services.contacts.store import erased_imports


async def scrub(tx: Tx, texts: Collection[str]) -> tuple[list[str], int]:
    """The imports that held one of the texts, and how many lines went."""
    lines = await erased_imports.take_lines(tx, texts)
    writes, held = [], []
    for id, doc, deleted in await erased_imports.documents(tx):
        message = erased_imports.imports.message.FromString(doc)
        if rules.scrub(message, texts):
            writes.append(bulk.Write(message, doc, "deleted" if deleted else ""))
            held.append(id)
    for id, doc in await erased_imports.old_documents(tx):
        if id not in held and rules.scrub(erased_imports.imports.message.FromString(doc), texts):
            held.append(id)
    if writes:
        await bulk.write(tx, erased_imports.imports, writes)
    await erased_imports.forget_old_versions(tx, held)
    return held, lines
