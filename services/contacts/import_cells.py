"""Cells as a person or company, and back: what each target of `import_fields` puts into the message and shows of it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports import custom_cells, values
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.custom_cells import SEVERAL
from chassis.kit.imports.values import WrongValue
from crm.contacts.v1 import party_pb2
from services.contacts import import_phones, tax_numbers

Party = Any
"""A contact or a company."""
Put = Callable[[Terms, Party, int, str], None]

_YEARLESS = re.compile(r"--(\d\d)-(\d\d)")


def fill(terms: Terms, party: Party, column: int, target: str, cell: str) -> None:
    """Puts a cell into the message; WrongValue if it cannot be such a value."""
    if target.startswith("custom."):
        custom_cells.put_custom(terms, party, target.removeprefix("custom."), cell)
    elif target in _PUT:
        _PUT[target](terms, party, column, cell)
    elif target == "employee_count":
        party.employee_count = values.parse_whole(cell, comma=terms.imported.options.decimal_comma)
    else:
        setattr(party, target, cell)


def _put_phones(terms: Terms, party: Party, column: int, cell: str) -> None:
    for text in SEVERAL.split(cell):
        if not text:
            continue
        found = import_phones.dialled(text, terms.region)
        if found is None:
            raise WrongValue(
                f"{text!r} cannot be a phone; write it with the country code, e.g. +48 601 234 567"
            )
        if all(phone.number != found.number for phone in party.phones):
            party.phones.add(number=found.number, extension=found.extension)


def _put_emails(terms: Terms, party: Party, column: int, cell: str) -> None:
    for text in SEVERAL.split(cell):
        address = text.removeprefix("mailto:").strip().lower()
        if address and all(email.address != address for email in party.emails):
            party.emails.add(address=address)


def _put_birthday(terms: Terms, party: Party, column: int, cell: str) -> None:
    if yearless := _YEARLESS.fullmatch(cell):
        year, month, day = 0, int(yearless[1]), int(yearless[2])
    else:
        year, month, day = values.parse_date(cell, terms.date_orders.get(column, values.DMY))
    party.birthday.year, party.birthday.month, party.birthday.day = year, month, day


def _address(name: str) -> Put:
    def put(terms: Terms, party: Party, column: int, cell: str) -> None:
        address = party.addresses[0] if party.addresses else party.addresses.add()
        if name == "lines":
            address.lines.extend(line.strip() for line in cell.splitlines() if line.strip())
        elif name == "country":
            address.country = _country(cell)
        else:
            setattr(address, name, cell)

    return put


def _country(cell: str) -> str:
    if len(cell) == 2 and cell.isalpha():
        return cell.upper()
    if (code := _COUNTRIES.get(search_key(cell))) is not None:
        return code
    raise WrongValue(f"{cell!r} is no country; write its code of two letters, e.g. PL")


_COUNTRIES = {
    "poland": "PL", "polska": "PL", "polandia": "PL", "indonesia": "ID", "indonezja": "ID", "malaysia": "MY", "malezja": "MY",
    "singapore": "SG", "singapur": "SG", "singapura": "SG", "germany": "DE", "niemcy": "DE", "jerman": "DE",
    "united kingdom": "GB", "great britain": "GB", "wielka brytania": "GB", "inggris": "GB", "england": "GB",
    "united states": "US", "usa": "US", "stany zjednoczone": "US", "amerika serikat": "US", "australia": "AU",
    "czech republic": "CZ", "czechia": "CZ", "czechy": "CZ", "france": "FR", "francja": "FR", "ukraine": "UA", "ukraina": "UA",
    "vietnam": "VN", "wietnam": "VN", "thailand": "TH", "tajlandia": "TH", "netherlands": "NL", "holandia": "NL",
}  # fmt: skip


def _enum(field: str, enum: Any, prefix: str, words: Mapping[str, str]) -> Put:
    known = {search_key(name.removeprefix(prefix)): number for name, number in enum.items()}
    known |= {search_key(word): enum.Value(f"{prefix}{name}") for word, name in words.items()}

    def put(terms: Terms, party: Party, column: int, cell: str) -> None:
        for text in SEVERAL.split(cell):
            number = known.get(search_key(text))
            if not number:
                names = ", ".join(n.removeprefix(prefix).lower() for n in enum.keys()[1:])
                raise WrongValue(f"{text!r} is none of {names}")
            if field == "party_roles":
                if number not in party.party_roles:
                    party.party_roles.append(number)
            else:
                setattr(party, field, number)

    return put


def _catalogue(fact: str, put_id: Callable[[Party, str], None]) -> Put:
    def put(terms: Terms, party: Party, column: int, cell: str) -> None:
        for name in SEVERAL.split(cell):
            id = terms.facts[fact].get(search_key(name))
            if name and id is None:
                raise WrongValue(f"there is no {fact[:-1]} {name!r}; create it or leave it out")
            if name:
                put_id(party, id)

    return put


def _put_label(party: Party, id: str) -> None:
    if id not in party.label_ids:
        party.label_ids.append(id)


def _put_need(party: Party, id: str) -> None:
    if all(need.need_id != id for need in party.needs):
        party.needs.add(need_id=id, origin=party_pb2.PartyNeed.ORIGIN_IMPORT)


def _put_external_id(terms: Terms, party: Party, column: int, cell: str) -> None:
    custom_cells.put_external_id(terms, party, cell)


def _put_external_ids(terms: Terms, party: Party, column: int, cell: str) -> None:
    custom_cells.put_external_ids(party, cell)


def _put_tax_number(terms: Terms, party: Party, column: int, cell: str) -> None:
    for text in SEVERAL.split(cell):
        country, kind, number = ["", "", *text.split(":")][-3:] if text.count(":") != 1 else ("", "", text)  # fmt: skip
        try:
            found = tax_numbers.check(country or terms.facts["country"], kind, number)
        except tax_numbers.WrongTaxNumber as error:
            raise WrongValue(f"{text!r} is no tax number: {error}") from error
        party.tax_numbers.add(country=found.country, kind=found.kind, number=found.number)


def _put_domains(terms: Terms, party: Party, column: int, cell: str) -> None:
    party.domains.extend(text.lower() for text in SEVERAL.split(cell) if text)


def _put_website(terms: Terms, party: Party, column: int, cell: str) -> None:
    party.website = cell if "://" in cell else f"https://{cell}"


_PUT: dict[str, Put] = {
    "phones": _put_phones,
    "emails": _put_emails,
    "birthday": _put_birthday,
    "address.street": _address("lines"),
    "address.city": _address("city"),
    "address.region": _address("region"),
    "address.postal_code": _address("postal_code"),
    "address.country": _address("country"),
    "preferred_channel": _enum(
        "preferred_channel", party_pb2.PreferredChannel, "PREFERRED_CHANNEL_",
        {"telefon": "PHONE", "telepon": "PHONE", "e-mail": "EMAIL", "mail": "EMAIL", "emel": "EMAIL", "whatsapp": "MESSENGER"},
    ),
    "lifecycle_stage": _enum(
        "lifecycle_stage", party_pb2.LifecycleStage, "LIFECYCLE_STAGE_",
        {"klient": "CUSTOMER", "pelanggan": "CUSTOMER", "były": "FORMER", "mantan": "FORMER", "bekas": "FORMER"},
    ),
    "party_roles": _enum(
        "party_roles", party_pb2.PartyRole, "PARTY_ROLE_",
        {"klient": "CUSTOMER", "pelanggan": "CUSTOMER", "client": "CUSTOMER", "dostawca": "SUPPLIER", "pemasok": "SUPPLIER",
         "pembekal": "SUPPLIER", "vendor": "SUPPLIER", "mitra": "PARTNER", "rakan": "PARTNER"},
    ),
    "labels": _catalogue("labels", _put_label),
    "needs": _catalogue("needs", _put_need),
    "source": _catalogue("sources", lambda party, id: setattr(party, "source_id", id)),
    "owner": _catalogue("users", lambda party, id: setattr(party, "owner_id", id)),
    "external_id": _put_external_id,
    "external_ids": _put_external_ids,
    "tax_number": _put_tax_number,
    "domains": _put_domains,
    "website": _put_website,
}  # fmt: skip


# -- and back ----------------------------------------------------------------------------------


def cells(party: Party, names: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """The record's cells by target; `names` are those of catalogues and users by id."""
    found: dict[str, list[str]] = {
        "phones": [
            p.number + (f" ext. {p.extension}" if p.extension else "") for p in party.phones
        ],
        "emails": [email.address for email in party.emails],
        "language": [party.language],
        "time_zone": [party.time_zone],
        "preferred_channel": _enum_name(party_pb2.PreferredChannel, party.preferred_channel, 2),
        "lifecycle_stage": _enum_name(party_pb2.LifecycleStage, party.lifecycle_stage, 2),
        "party_roles": [
            n for r in party.party_roles for n in _enum_name(party_pb2.PartyRole, r, 2)
        ],
        "labels": _named(names["labels"], party.label_ids),
        "needs": _named(names["needs"], [need.need_id for need in party.needs]),
        "source": _named(names["sources"], [party.source_id]),
        "owner": _named(names["users"], [party.owner_id]),
        "external_ids": custom_cells.external_id_cells(party),
        "tax_number": [f"{t.country}:{t.kind}:{t.number}" for t in party.tax_numbers],
    }
    for address in party.addresses[:1]:
        found["address.street"] = ["\n".join(address.lines)]
        for name in ("city", "region", "postal_code", "country"):
            found[f"address.{name}"] = [getattr(address, name)]
    found |= custom_cells.custom_cells(party)
    return {target: [t for t in texts if t] for target, texts in found.items()}


def birthday(contact: Party) -> list[str]:
    """The birthday as ISO 8601, without a year where none is known."""
    if not contact.HasField("birthday"):
        return []
    born = contact.birthday
    return [f"{f'{born.year:04}' if born.year else '-'}-{born.month:02}-{born.day:02}"]


def _enum_name(enum: Any, number: int, words: int) -> list[str]:
    return [enum.Name(number).split("_", words)[-1].lower()] if number else []


def _named(names: Mapping[str, str], ids: Iterable[str]) -> list[str]:
    return [names[id] for id in ids if id in names]
