"""Contacts and companies as the kit's imports and exports see them: their keys, how a line becomes them, what goes with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chassis.fold import search_key, sort_key
from chassis.kit.imports.adapter import LineRefused, Part, Target, Terms
from chassis.kit.imports.values import WrongValue
from chassis.kit.resource import Resource
from chassis.kit.save import Conflict
from chassis.rpc import shape
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.contacts.v1 import company_pb2, contact_pb2, imports_events_pb2
from services.contacts import (
    duplicates,
    export_facts,
    import_cells,
    import_fields,
    names,
    segments,
    store,
    timers,
    vcard,
)
from services.contacts.rules import contacts as rules
from services.contacts.store.imports import former_holders

Contact, Company = contact_pb2.Contact, company_pb2.Company
_BY = pb.ImportOptions
_MATCH_BY = [_BY.MATCH_BY_PHONE, _BY.MATCH_BY_EMAIL]
_OF_COMPANY = "company."
_NAMES = ("given_name", "family_name", "display_name")
# Identity of the items of lists: a list gains what it lacks by this, and an equal item keeps what it has.
_IDENTITY: dict[str, Callable[[Any], Any]] = {
    "phones": lambda item: item.number,
    "emails": lambda item: item.address,
    "tax_numbers": lambda item: (item.country, item.kind, item.number),
    "needs": lambda item: item.need_id,
}


class Parties:
    """What both kinds have in common."""

    plural: str
    resource: Resource[Any]
    resources: Sequence[Resource[Any]] = (store.companies, store.contacts)
    links: Mapping[str, str] = {"contacts": "company_id"}
    fields: list[Target]

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.with_custom(self.fields, custom)

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: {search_key(entry.name): entry.id for entry in await store.catalogue(tx, name)}
            for name in ("labels", "needs", "sources")
        }
        users = {id: u for id, u in tx.directory.users().items() if u["state"] == "active"}
        found["users"] = {search_key(u["name"]): id for id, u in users.items()}
        found["users"] |= {search_key(u["email"]): id for id, u in users.items()}
        found["country"] = tx.directory.tenant().get("country", "")
        found["names"] = await self._linked_names(tx)
        found["match_by"] = list(imported.options.match_by) or _MATCH_BY
        return found

    async def _linked_names(self, tx: Tx) -> dict[str, dict[str, str]]:
        made = {
            name: {entry.id: entry.name for entry in await store.catalogue(tx, name)}
            for name in ("labels", "needs", "sources")
        }
        users: Mapping[str, Any] = tx.directory.users()
        made["users"] = {id: u["email"] or u["name"] for id, u in users.items()}
        return made

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        wrong: list[str] = []
        own: list[tuple[int, str, str]] = []
        of_company: list[tuple[int, str, str]] = []
        for column, target, cell in values:
            if target.startswith(_OF_COMPANY):
                of_company.append((column, target.removeprefix(_OF_COMPANY), cell))
            else:
                own.append((column, target, cell))
        parts = []
        if of_company:
            company = self._filled(terms, Company(), of_company, wrong)
            parts.append(Part(store.companies, company, ()))
        if own:
            link = ("company_id", 0) if parts else None
            message = self._filled(terms, self.resource.message(), own, wrong)
            parts.append(Part(self.resource, message, (), link))
        if wrong:
            raise LineRefused("; ".join(wrong))
        for part in parts:
            self._complete(terms, part.wish)
            part.keys = tuple(_sought(terms, part.wish))
        return parts

    def _filled(
        self, terms: Terms, message: Any, values: Sequence[tuple[int, str, str]], wrong: list[str]
    ) -> Any:
        for column, target, cell in values:
            try:
                import_cells.fill(terms, message, column, target, cell)
            except WrongValue as error:
                wrong.append(f"{target}: {error}")
        return message

    def _complete(self, terms: Terms, wish: Any) -> None:
        """A full name written in one field gives the names apart."""
        if isinstance(wish, Contact):
            if wish.display_name and not (wish.given_name or wish.family_name):
                wish.given_name, wish.family_name = names.split(wish.display_name)
                wish.display_name = ""
            elif wish.given_name or wish.family_name:
                wish.display_name = ""  # follows from the names
        _check_once(wish)

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        options = terms.imported.options
        before = None
        if existing:
            before = type(message)()
            before.CopyFrom(message)
            _unite(message, part.wish, overwrite=terms.overwrites)
        else:
            id, linked = message.id, getattr(message, "company_id", "")
            message.MergeFrom(part.wish)
            message.id = id
            if linked:
                message.company_id = linked
            message.owner_id = message.owner_id or options.owner_id or terms.actor_user_id
            message.source_id = message.source_id or options.source_id
            self._check_required(terms, message)
        message.label_ids.extend(id for id in options.label_ids if id not in message.label_ids)
        if before is not None and message == before:
            return
        if isinstance(message, Contact):
            if before is not None:
                rules.rename(message, before)
            rules.normalise_contact(
                message, region=terms.region, today=terms.now.date(), old=before
            )
        else:
            rules.normalise_company(message, region=terms.facts["country"], old=before)
        shape.check(message, writes=True)

    def _check_required(self, terms: Terms, message: Any) -> None:
        if isinstance(message, self.resource.message):
            for key, field in terms.custom.items():
                if field.required and key not in message.custom:
                    raise LineRefused(f"custom.{key} is required")

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Resource[Any], message: Any) -> list[str]:
        keys = _own_keys(terms, message)
        if isinstance(message, Company):
            name = sort_key(message.name)
            keys += [f"name:{name}"] if message.tax_numbers else [f"untaxed:{name}", f"name:{name}"]
        elif not keys:
            keys.append(_identity(message))
        return keys

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [key.replace(":", "/", 1) for key in keys]  # as `matching.lock_keys` writes them

    async def holders(self, tx: Tx, resource: Resource[Any], keys: Sequence[str]) -> list[bytes]:
        return await store.holders_of_keys(tx, resource, keys)

    # -- what goes with a write ------------------------------------------------------------------

    async def written(
        self, tx: Tx, resource: Resource[Any], changes: Sequence[tuple[Any, bytes]]
    ) -> None:
        claims = []
        for message, doc in changes:
            old = resource.message.FromString(doc) if doc else None
            had = list(old.external_ids) if old is not None else []
            if had != list(message.external_ids) or (had and message.HasField("delete_time")):
                claims.append(message)
            if isinstance(message, Company) and old is not None and old.name != message.name:
                await timers.refresh_people(tx, message.id)
        await store.note_guards(tx, resource.object, [message for message, _ in changes])
        if claims and await store.claim_many(tx, resource.object, claims):
            raise Conflict  # somebody else was faster: the next try finds him
        gone = {m.id: () for m, _ in changes if m.HasField("delete_time")}
        if gone:  # no event has them looked at one by one
            await store.match_keys.replace_keys(tx, resource.object, gone)
        await segments.evaluate(tx, resource.object, [message.id for message, _ in changes])

    async def undone(self, tx: Tx) -> None:
        """What was restored may be somebody's twin again: one look through the base, as after a run."""
        await duplicates.compare_imported(imports_events_pb2.ImportFinished(), tx)

    async def survivors(
        self, tx: Tx, resource: Resource[Any], ids: Sequence[str]
    ) -> Mapping[str, str]:
        return await store.merges.survivors(tx, "company", ids)

    async def former(
        self, tx: Tx, resource: Resource[Any], keys: Sequence[str]
    ) -> Mapping[str, bytes]:
        """An id in another system names its record for ever; phones and addresses go to whoever has them now."""
        ids = [key for key in keys if key.startswith("ext:")]
        return await former_holders(tx, resource, ids) if ids else {}

    async def referred(
        self, tx: Tx, resource: Resource[Any], ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return await store.referred(tx, resource.name, ids, import_id)

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        return vcard.rows(path, encoding, companies=self.resource is store.companies)

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        single = [
            t.path for t in self.fields if t.path not in ("external_id", "company.tax_number")
        ]
        return [*single, *(f"custom.{field.key}" for field in custom)]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        found = import_cells.cells(message, names)
        for target in self.fields:
            if target.path in message.DESCRIPTOR.fields_by_name and target.path not in found:
                value = getattr(message, target.path)
                if target.path == "birthday":
                    found["birthday"] = import_cells.birthday(message)
                elif target.path == "domains":
                    found["domains"] = list(value)
                else:
                    found[target.path] = [str(value)] if value else []
        if isinstance(message, Contact):
            found["company.name"] = [names["companies"].get(message.company_id, "")]
        return found

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        made = await self._linked_names(tx)
        made["companies"] = {}
        ids = {m.company_id for m in messages if isinstance(m, Contact) and m.company_id}
        if ids and "name" not in tx.rights.hidden("company"):
            for row in await store.companies.rows(tx, sorted(ids)):
                company = Company.FromString(row["doc"])
                made["companies"][company.id] = company.name
        return made

    @property
    def columns_beside(self) -> Sequence[str]:
        return export_facts.COLUMNS[self.resource.object]

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return await export_facts.cells(tx, self.resource.object, ids, columns)

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        return vcard.card(message, names)


class Contacts(Parties):
    """Persons, with their companies beside them."""

    plural, resource, fields = "contacts", store.contacts, import_fields.CONTACT


class Companies(Parties):
    """Companies alone."""

    plural, resource, fields = "companies", store.companies, import_fields.COMPANY


ADAPTERS = {"contacts": Contacts(), "companies": Companies()}


# -- keys and merging, pure ------------------------------------------------------------------------


def _own_keys(terms: Terms, message: Any) -> list[str]:
    """Ids of other systems always: one of them names one record (I2). Then what the options name, in their order."""
    keys = [f"ext:{e.system}/{e.id}" for e in message.external_ids]
    if isinstance(message, Company):
        keys += [f"tax:{t.country}/{t.kind}/{t.number}" for t in message.tax_numbers]
    for kind in terms.facts["match_by"]:
        if kind == _BY.MATCH_BY_PHONE:
            keys += [f"phone:{phone.number}" for phone in message.phones]
        elif kind == _BY.MATCH_BY_EMAIL:
            keys += [f"email:{email.address}" for email in message.emails]
    return keys


def _sought(terms: Terms, wish: Any) -> list[str]:
    """The keys by which a line looks for its record, the surest first."""
    keys = _own_keys(terms, wish)
    if isinstance(wish, Company):
        # A company of this name with another tax number is another company.
        name = sort_key(wish.name)
        if name:
            keys.append(f"untaxed:{name}" if wish.tax_numbers else f"name:{name}")
    elif not keys:
        keys.append(_identity(wish))
    return keys


def _identity(contact: Any) -> str:
    """All of a person by whom nothing surer is known: only who is the same in all of it is the same."""
    display = contact.display_name or names.display(contact.given_name, contact.family_name)
    name = sort_key(names.sort_text(contact.given_name, contact.family_name, display))
    rest = [*(p.number for p in contact.phones), *(e.address for e in contact.emails)]
    return "\n".join([f"same:{name}", *rest])


def _check_once(wish: Any) -> None:
    systems = [e.system for e in wish.external_ids]
    if len(set(systems)) != len(systems):
        raise LineRefused("external_id: two ids of one system; map only one of the columns")


def _unite(message: Any, wish: Any, *, overwrite: bool) -> None:
    """Fills what is empty and adds to lists what they lack; with `overwrite`, single values are replaced too."""
    for field, value in wish.ListFields():
        name = field.name
        if name == "custom":
            for key, item in value.items():
                if overwrite or key not in message.custom:
                    message.custom[key].CopyFrom(item)
        elif name == "addresses":
            _unite_address(message, value[0], overwrite=overwrite)
        elif name == "external_ids":
            _unite_external_ids(message, value, overwrite=overwrite)
        elif field.is_repeated:
            identity = _IDENTITY.get(name, lambda item: item)
            known = {identity(item) for item in getattr(message, name)}
            getattr(message, name).extend(i for i in value if identity(i) not in known)
        elif overwrite or not _is_set(message, field):
            _set(message, field, value)


def _is_set(message: Any, field: Any) -> bool:
    return (
        message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))
    )


def _set(message: Any, field: Any, value: Any) -> None:
    if field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _unite_address(message: Any, wish: Any, *, overwrite: bool) -> None:
    """A file has one address; it is the record's first."""
    if not message.addresses:
        message.addresses.add().CopyFrom(wish)
        return
    first = message.addresses[0]
    for field, value in wish.ListFields():
        if field.is_repeated:
            if overwrite or not first.lines:
                first.lines[:] = value
        elif overwrite or not _is_set(first, field):
            _set(first, field, value)


def _unite_external_ids(message: Any, wish: Any, *, overwrite: bool) -> None:
    known = {e.system: e for e in message.external_ids}
    for item in wish:
        if item.system not in known:
            message.external_ids.add(system=item.system, id=item.id)
        elif overwrite:
            known[item.system].id = item.id
