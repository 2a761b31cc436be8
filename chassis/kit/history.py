"""History of a record, and the record or list as it was at an instant (M4)."""

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import BigInteger, DateTime, Uuid, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis import codec, errors
from chassis.db.statement import Statement
from chassis.errors import Violation
from chassis.kit.page_token import PageTokens
from chassis.kit.retention import check_reach
from chassis.kit.showing import hidden_of, limited
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import common_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_SILENT = {"etag", "create_time", "update_time", "delete_time"}
MOST_AS_OF = 20_000  # versions that one as-of list reads


class AsOfTooLarge(errors.FailedPrecondition):
    """More records existed then than one as-of list reads."""

    reason = "AS_OF_TOO_LARGE"

    def __init__(self, service: str, plural: str) -> None:
        super().__init__(
            f"more than {MOST_AS_OF} {plural} existed then, and one page can look through {MOST_AS_OF}; start the list as an"
            f" operation, which leaves a file: POST /v1/operations/{service}:listAsOf with resource {plural!r}",
            [Violation("as_of", f"reaches more than {MOST_AS_OF} records")],
        )


class Statements:
    """The history statements of one resource, compiled once."""

    def __init__(self, resource: "Resource[Any]") -> None:
        h = resource.history.c
        mine = (
            h.tenant_id == bindparam("tenant_id", type_=Uuid),
            h.id == bindparam("id", type_=Uuid),
        )
        instant = bindparam("instant", type_=DateTime(timezone=True))
        valid = (h.valid_from <= instant, or_(h.valid_to.is_(None), h.valid_to > instant))
        columns = (h.version, h.valid_from, h.action, h.actor, h.cause, h.changed, h.doc)
        below = h.version < bindparam("below", type_=BigInteger)
        limit = bindparam("page_limit", type_=BigInteger)
        self.page = Statement(
            select(*columns).where(*mine, below).order_by(h.version.desc()).limit(limit)
        )
        above = h.version >= bindparam("version", type_=BigInteger)
        self.since = Statement(select(*columns).where(*mine, above).order_by(h.version))
        self.at = Statement(select(h.action, h.doc).where(*mine, *valid))
        t = resource.table.c
        scope = [t[name] for name in resource.scope_columns]
        then = (
            select(h.id, h.doc, *scope)
            .join_from(
                resource.history, resource.table, (h.tenant_id == t.tenant_id) & (h.id == t.id)
            )
            .where(h.tenant_id == bindparam("tenant_id", type_=Uuid), *valid, h.action != "deleted")
        )
        self.all_at = Statement(then.limit(limit))
        after = h.id > bindparam("after", type_=Uuid)
        self.next_at = Statement(then.where(after).order_by(h.id).limit(limit))
        self.these_at = Statement(then.where(h.id == bindparam("ids", type_=ARRAY(Uuid)).any_()))


def shown_actor(tx: Tx, actor: dict[str, str]) -> str:
    """The actor's name as the tenant's people know him."""
    user = tx.directory.user(actor.get("user_id", "")) if actor.get("user_id") else None
    return user["name"] if user else actor["kind"]


async def revisions(
    tx: Tx, resource: "Resource[Any]", request: Any, tokens: PageTokens
) -> tuple[list[pb.Revision], str]:
    """One page of a record's versions, newest first, without fields that are hidden from the caller."""
    await resource.row(tx, request.id, deleted=True)
    identity, below = f"{tx.tenant}|{resource.name}|history|{request.id}", 1 << 62
    size = request.page_size or 50
    if not 0 < size <= 200:
        raise errors.InvalidArgument(
            "page_size must be 1 to 200", [Violation("page_size", f"{size} is out of range")]
        )
    if request.page_token:
        below = tokens.read(request.page_token, shape=identity).values[0]  # type: ignore[assignment]
    rows = await tx.fetch(resource.of_history.page, id=request.id, below=below, page_limit=size + 1)
    hidden = hidden_of(tx, resource)
    found = []
    for index, row in enumerate(rows[:size]):
        before = rows[index + 1]["doc"] if index + 1 < len(rows) else None
        found.append(_revision(tx, resource, row, before, hidden))
    token = tokens.make([rows[size - 1]["version"]], True, identity) if len(rows) > size else ""
    return found, token


def _revision(
    tx: Tx, resource: "Resource[Any]", row: Any, before_doc: bytes | None, hidden: frozenset[str]
) -> pb.Revision:
    revision = pb.Revision(
        version=row["version"],
        time=to_timestamp(row["valid_from"]),
        actor=pb.ActorRef(**row["actor"]),
        cause=pb.Cause(**row["cause"]),
        action=row["action"],
    )
    before, after = (
        limited(tx, resource, resource.message.FromString(doc or b""), hidden=hidden)
        for doc in (before_doc, row["doc"])
    )
    old, new = codec.to_dict(before), codec.to_dict(after)
    # The version before may be older than what is kept: then the row itself knows what it changed.
    forgotten = before_doc is None and row["version"] > 1
    for path in codec.changed_paths(before, after):
        if path in _SILENT or path == "id" or (forgotten and path not in row["changed"]):
            continue
        change = revision.changes.add(field=path)
        for holder, target in ((old, change.before), (new, change.after)):
            value = value_at(holder, resource, path)
            if value is not None:
                target.CopyFrom(codec.from_json(orjson.dumps(value), type(target)))
            else:
                target.null_value = 0  # type: ignore[assignment]
    return revision


def value_at(json_dict: dict[str, Any], resource: "Resource[Any]", path: str) -> Any:
    """The JSON value at a field path; None if absent."""
    value: Any = json_dict
    for part in codec.json_path(resource.message.DESCRIPTOR, path).split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


async def as_of(tx: Tx, resource: "Resource[Any]", id: str, moment: Any) -> Any:
    """The record as it was at `moment`, under today's scopes; NotFound if it was not there."""
    await resource.row(tx, id, deleted=True)
    check_reach(tx, moment)
    row = await tx.fetchrow(resource.of_history.at, id=id, instant=to_datetime(moment))
    if row is None or row["action"] == "deleted":
        raise resource.not_found(id)
    return resource.message.FromString(row["doc"])


async def all_as_of(tx: Tx, resource: "Resource[Any]", moment: Any) -> list[Any]:
    """Every record that the caller may read today, as it was at `moment`; AsOfTooLarge beyond MOST_AS_OF."""
    check_reach(tx, moment)
    rows = await tx.fetch(
        resource.of_history.all_at, instant=to_datetime(moment), page_limit=MOST_AS_OF + 1
    )
    if len(rows) > MOST_AS_OF:
        raise AsOfTooLarge(resource.service, resource.plural)
    return [
        resource.message.FromString(row["doc"]) for row in rows if resource.reaches(tx, row, "read")
    ]
