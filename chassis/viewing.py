"""Viewing as: a person with the right looks through somebody else's eyes. He sees never more than both, and changes nothing.

A session may look as a user only after identity has noted it (a directory entry `viewing`), so that none of it goes
unaccounted. The actor of such a call is the kind "viewer": its `user_id` is the user whose view it is, its `id` the viewer.
"""

from typing import TYPE_CHECKING

from chassis import contracts, errors
from chassis.call import Actor, Call
from chassis.rights import Rights

if TYPE_CHECKING:
    from chassis.authentication import Authentication
    from chassis.directory import Directory
    from chassis.tenant_view import TenantView

METADATA = "crm-view-as"
VIEWER = "viewer"
_OBJECT, _ACTION = "user", "view_as"
_PATIENCE_S = 2.0  # the entry was written a moment ago, perhaps by another process


class ViewingNotBegun(errors.PermissionDenied):
    """The session may not look as this user, or has not said so beforehand."""

    reason = "VIEWING_NOT_BEGUN"

    def __init__(self) -> None:
        super().__init__(
            "this session does not look as that user; it needs the right user.view_as, and begins with"
            " POST /v1/users/{id}:viewAs"
        )


class ViewingChangesNothing(errors.PermissionDenied):
    """Who looks as somebody else only reads."""

    reason = "VIEWING_CHANGES_NOTHING"

    def __init__(self, method: str) -> None:
        super().__init__(
            f"you are looking as somebody else, and {method} changes something; send it without X-View-As"
        )


async def look(directory: "Directory", authentication: "Authentication", call: Call) -> None:
    """Turns a call that carries the metadata into the view of the named user; the call is authenticated already."""
    assert call.tenant is not None
    assert call.rights is not None
    viewer, rights, user_id = call.actor, call.rights, call.metadata[METADATA]
    people = directory.of(call.tenant)
    entry = f"{viewer.session_id}.{user_id}"
    if viewer.kind != "user" or not rights.reaches(_OBJECT, _ACTION, user_id):
        raise ViewingNotBegun
    try:
        await directory.until(lambda: people.entry("viewing", entry) is not None, _PATIENCE_S)
    except TimeoutError:
        raise ViewingNotBegun from None
    if (people.user(user_id) or {}).get("state") != "active":
        raise ViewingNotBegun
    if call.method.writes:
        raise ViewingChangesNothing(call.method.name)
    call.actor = Actor(VIEWER, viewer.id, user_id, viewer.session_id)
    call.rights = seen_by(rights, people, authentication.rights_of_user(call.tenant, user_id))


def seen_by(viewer: Rights, people: "TenantView", of_user: Rights) -> Rights:
    """The user's rights as far as the viewer himself has them for all records; fields hidden from either are hidden.

    A viewer with a narrower scope gets nothing of that object: whose records "team" means differs from person to person, so
    the lesser of two names could still reach records that the viewer may not see.
    """
    grants = [
        {"object": object, "action": action, "scope": scope}
        for object, action in contracts.rights()
        if (scope := of_user.scope(object, action)) and viewer.scope(object, action) == "all"
    ]
    objects = {object for object, _ in contracts.rights()} | contracts.resources().keys()
    hidden = [
        f"{object}.{path}"
        for object in objects
        for path in viewer.hidden(object) | of_user.hidden(object)
    ]
    return Rights(people, of_user.user_id, grants, hidden, covers=of_user.covers)
