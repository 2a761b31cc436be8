"""Suspected pairs: found while typing, listed, dismissed, looked for everywhere, merged all at once."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from chassis import phones
from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, Violation
from chassis.fold import phone_digits
from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.kit.resource import checked_id
from chassis.tx import Tx
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import duplicate_pb2 as pb
from services.contacts import duplicates, names, store
from services.contacts.rpc.merges import Merges
from services.contacts.rules import duplicates as rules
from services.contacts.rules import parties
from services.contacts.store.duplicates import DISMISSED, OPEN

PAGE = 50
MOST_FOUND = 20
_WINDOW = 200  # rows read at once
_MOST_WINDOWS = 20
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Duplicates(Merges, Servicer):
    """`/v1/contacts:findDuplicates`, `/v1/companies:findDuplicates`, `/v1/duplicates`."""

    service = "crm.contacts.v1.DuplicatesService"

    @reads
    async def FindContactDuplicates(
        self, request: pb.FindContactDuplicatesRequest, tx: Tx
    ) -> pb.FindDuplicatesResponse:
        return await _find(tx, "contact", request)

    @reads
    async def FindCompanyDuplicates(
        self, request: pb.FindCompanyDuplicatesRequest, tx: Tx
    ) -> pb.FindDuplicatesResponse:
        return await _find(tx, "company", request)

    @reads
    async def ListDuplicates(
        self, request: pb.ListDuplicatesRequest, tx: Tx
    ) -> pb.ListDuplicatesResponse:
        size = request.page_size or PAGE
        wanted: dict[str, Any] = {
            "state": request.state or OPEN, "min_score": request.min_score, "object": request.object,
            "party_id": request.party_id,
        }  # fmt: skip
        identity = f"{tx.tenant}|duplicates|{wanted}"
        before = _place(tx, request.page_token, identity) if request.page_token else (101, _LAST_ID)
        answer = pb.ListDuplicatesResponse()
        for _ in range(_MOST_WINDOWS):
            rows = await store.duplicates.read_pairs(tx, **wanted, before=before, limit=_WINDOW)
            shown = await _shown(tx, rows)
            for at, row in enumerate(rows, start=1):
                before = (row["score"], str(row["id"]))
                if row["id"] in shown:
                    answer.duplicates.append(shown[row["id"]])
                if len(answer.duplicates) == size:
                    if at < len(rows) or len(rows) == _WINDOW:
                        answer.next_page_token = _token(tx, before, identity)
                    return answer
            if len(rows) < _WINDOW:
                return answer
        answer.next_page_token = _token(tx, before, identity)
        return answer

    @writes
    async def DismissDuplicate(self, request: pb.DismissDuplicateRequest, tx: Tx) -> pb.Duplicate:
        return await _decide(tx, request.id, OPEN, DISMISSED)

    @writes
    async def ReopenDuplicate(self, request: pb.ReopenDuplicateRequest, tx: Tx) -> pb.Duplicate:
        return await _decide(tx, request.id, DISMISSED, OPEN)

    @writes
    async def ScanDuplicates(self, request: pb.ScanDuplicatesRequest, tx: Tx) -> Any:
        return await tx.start_operation(duplicates.SCAN, request)

    @writes
    async def MergeAllDuplicates(self, request: pb.MergeAllDuplicatesRequest, tx: Tx) -> Any:
        await tx.require(request.object, "merge")
        return await tx.start_operation(duplicates.MERGE_ALL, request)


# -- while typing --------------------------------------------------------------------------------------


async def _find(tx: Tx, object: str, request: Any) -> pb.FindDuplicatesResponse:
    """Exact keys by the parties' own indexes, names by their keys; a few look-ups of one row each."""
    resource = store.PARTIES[object]
    asked = _asked(tx, object, request)
    named = [
        f
        for f, given in (
            ("phones", request.phone),
            ("emails", request.email),
            ("tax_numbers", request.tax_number),
        )
        if given
    ]
    showing.refuse_unreadable(tx, resource, named)
    found: dict[str, Any] = {}
    for name, value in (
        ("phone", _digits(asked)),
        ("email", _first(asked.emails, "address")),
        ("tax_number", _first(asked.tax_numbers, "number")),
    ):
        if value:
            found |= {
                party.id: party for party in await store.duplicates.holding(tx, object, name, value)
            }
    if request.name:
        ids = await store.match_keys.under_keys(tx, object, rules.keys(rules.profile(asked)))
        known = await store.match_keys.documents(tx, object, set(ids) - found.keys())
        found |= {id: resource.message.FromString(doc) for id, doc in known}
    one = rules.profile(asked)
    scored = [
        (*rules.score(one, _as_asked(rules.profile(party), one)), party) for party in found.values()
    ]
    likely = [each for each in scored if each[1]]
    likely.sort(key=lambda each: (-each[0], each[2].id))
    return _answer(tx, object, likely[:MOST_FOUND])


def _asked(tx: Tx, object: str, request: Any) -> Any:
    """What was typed so far, as a record; what cannot be a phone or an address is passed over while it is being typed."""
    if not (request.phone or request.email or request.name or request.tax_number):
        raise InvalidArgument(
            "nothing to look for; give at least one of: phone, email, name, tax_number",
            [Violation("name", "or phone, email or tax_number is required")],
        )
    party = store.PARTIES[object].message()
    dialled = phones.parse(request.phone, tx.directory.tenant().get("country", ""))
    if dialled is not None:
        party.phones.add(number=dialled.number)
    if email := parties.plausible_email(request.email):
        party.emails.add(address=email)
    if number := "".join(letter for letter in request.tax_number.upper() if letter.isalnum()):
        party.tax_numbers.add(number=number)
    if isinstance(party, contact_pb2.Contact):
        party.given_name, party.family_name = names.split(request.name)
    else:
        party.name = request.name
    return party


def _as_asked(known: rules.Profile, one: rules.Profile) -> rules.Profile:
    """The known record with its tax numbers as they are typed: without country and kind."""
    plain = frozenset(f"//{number.rpartition('/')[2]}" for number in known.tax_numbers)
    return dataclasses.replace(known, tax_numbers=plain) if one.tax_numbers else known


def _digits(party: Any) -> str:
    return phone_digits(party.phones[0].number) if party.phones else ""


def _first(items: Any, name: str) -> str:
    return str(getattr(items[0], name)) if items else ""


def _answer(
    tx: Tx, object: str, scored: Iterable[tuple[int, list[int], Any]]
) -> pb.FindDuplicatesResponse:
    resource, answer = store.PARTIES[object], pb.FindDuplicatesResponse()
    for points, reasons, party in scored:
        if tx.rights.reaches(object, "read", *resource.scope_of_message(party)):
            found = answer.found.add(score=points, reasons=reasons)
            getattr(found, object).CopyFrom(party)
        else:
            owner = tx.directory.user(party.owner_id) if party.owner_id else None
            answer.others.add(
                owner_id=party.owner_id, owner_name=(owner or {}).get("name", ""), reasons=reasons
            )
    return answer


# -- pairs ---------------------------------------------------------------------------------------------


async def _shown(tx: Tx, rows: list[Any]) -> dict[Any, pb.Duplicate]:
    """Those of the pairs of which the caller may read both records, by the id of the row."""
    parties_by_id: dict[str, Any] = {}
    for object, resource in store.PARTIES.items():
        ids = {
            str(id)
            for row in rows
            if row["object"] == object
            for id in (row["low_id"], row["high_id"])
        }
        if ids and tx.rights.may(object, "read"):
            for row in await resource.rows(tx, sorted(ids)):
                parties_by_id[str(row["id"])] = resource.message.FromString(row["doc"])
    found = {}
    for row in rows:
        low, high = (parties_by_id.get(str(row[name])) for name in ("low_id", "high_id"))
        if low is not None and high is not None:
            found[row["id"]] = _duplicate(tx, row, low, high)
    return found


def _duplicate(tx: Tx, row: Any, low: Any, high: Any) -> pb.Duplicate:
    object = row["object"]
    hidden = showing.hidden_of(tx, store.PARTIES[object])
    pair = pb.Duplicate(
        id=str(row["id"]), object=object, score=row["score"], state=row["state"],
        reasons=[r for r in rules.unmasked(row["reasons"]) if rules.FIELDS.get(r) not in hidden],  # type: ignore[misc]
    )  # fmt: skip
    pair.create_time.FromDatetime(row["create_time"])
    getattr(pair, object).CopyFrom(low)
    getattr(pair, f"other_{object}").CopyFrom(high)
    return pair


async def _decide(tx: Tx, id: str, old: int, new: int) -> pb.Duplicate:
    row = await store.duplicates.pair_for_update(tx, checked_id("duplicate", id))
    shown = await _shown(tx, [row]) if row is not None else {}
    if row is None or row["id"] not in shown:
        raise NotFound(f"there is no duplicate {id} of two living records")
    pair = shown[row["id"]]
    if row["state"] not in (old, new):
        raise FailedPrecondition(
            f"this pair is {pb.Duplicate.State.Name(pair.state)[6:].lower()}; nothing is left to decide"
        )
    await store.duplicates.decide(tx, row, new)
    pair.state = new  # type: ignore[assignment]
    return pair


def _token(tx: Tx, place: tuple[int, str], identity: str) -> str:
    return tx.runtime.page_tokens.make([place[0], place[1]], True, identity)


def _place(tx: Tx, token: str, identity: str) -> tuple[int, str]:
    score, id = tx.runtime.page_tokens.read(token, shape=identity).values
    assert isinstance(score, int)
    return score, str(id)
