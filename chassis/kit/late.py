"""Commands that arrive late (M24): an update with an old etag lands where nobody changed its fields since."""

from typing import TYPE_CHECKING, Any

from chassis import codec, errors
from chassis.errors import Violation
from chassis.kit.history import shown_actor, value_at
from chassis.kit.showing import hidden_of
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource


class FieldsChanged(errors.Aborted):
    """Fields of a late update that somebody else has changed meanwhile; each with who, when and both values."""

    reason = "FIELDS_CHANGED"


async def check(
    tx: Tx, resource: "Resource[Any]", current: Any, sent: Any, mask: list[str], etag: str
) -> None:
    """Raises FieldsChanged unless every masked field is as the caller saw it, or already as he wants it."""
    if not (etag.isascii() and etag.isdigit()) or not 0 < int(etag) < int(current.etag):
        raise errors.Aborted(
            f"etag {etag[:40]!r} was never given to this {resource.object}; read it again",
            [Violation("etag", "is unknown")],
        )
    rows = await tx.fetch(resource.of_history.since, id=current.id, version=int(etag))
    if rows[0]["version"] != int(etag):
        raise errors.Aborted(
            f"etag {etag} is of a version older than what is kept, so nobody knows what changed since; read the"
            f" {resource.object} again",
            [
                Violation(
                    "etag", f"is older than version {rows[0]['version']}, the first that is kept"
                )
            ],
        )
    seen, changed_by = resource.message.FromString(rows[0]["doc"]), {}
    for row in rows[1:]:
        changed_by.update(dict.fromkeys(row["changed"], row))
    standing, wanted = resource.message(), resource.message()
    for copy in (standing, wanted):
        copy.CopyFrom(current)
    codec.merge(wanted, sent, mask)
    # What the caller does not see is neither told nor compared: his list has no values of it.
    hidden = [p for p in hidden_of(tx, resource) if codec.has_path(current.DESCRIPTOR, p)]
    for each in (seen, standing, wanted):
        codec.hide(each, hidden)
    then, now, want = (codec.to_dict(each) for each in (seen, standing, wanted))
    found = []
    for path in mask:
        row = next((r for name, r in changed_by.items() if _touches(name, path)), None)
        mine, theirs = value_at(want, resource, path), value_at(now, resource, path)
        if row is not None and mine != theirs:
            found.append(
                Violation(
                    path,
                    f"was changed by {shown_actor(tx, row['actor'])} at {row['valid_from']:%Y-%m-%dT%H:%M:%SZ}:"
                    f" {value_at(then, resource, path)!r} when you read it, {theirs!r} now, you sent {mine!r}",
                )
            )
    if found:
        raise FieldsChanged(
            f"{len(found)} of the fields you changed were changed by others since; decide and send again with etag"
            f" {current.etag}",
            found,
            metadata={"etag": current.etag},
        )


def _touches(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
