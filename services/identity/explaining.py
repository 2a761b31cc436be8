"""An explanation as the API gives it: what decided, the grants and roles, the way through the departments, and a sentence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis import explaining
from chassis.explaining import Explained, Granting, Record, Why
from chassis.rights import Rights
from chassis.stand_in import stand_in
from chassis.tenant_view import TenantView
from crm.identity.v1 import explain_pb2 as pb
from services.identity import rules

REASONS = {why: pb.AccessReason.Value(f"ACCESS_REASON_{why.name}") for why in Why}

_BECAUSE = {
    Why.GRANTED: "{grants}.",
    Why.EVERYTHING: "{grants}.",
    Why.OWNER: "{grants}, and {who} owns it.",
    Why.COLLEAGUE: "{grants}, and its owner {owner} is in {path}.",
    Why.STAND_IN: "{grants}, and {who} stands in for its owner {owner}, who is away.",
    Why.QUEUE: "{grants}, and it waits in the queue of {path}.",
    Why.FOLLOWER: "{grants}, and {who} follows it.",
    Why.SHARED: "it is shared with everybody.",
    Why.NOT_ACTIVE: "{who} is not active, or the token has ended.",
    Why.TOKEN_METHODS: "the API token is limited to other calls.",
    Why.FEATURE_OFF: "the feature {feature} is switched off.",
    Why.NOT_GRANTED: "no role of {who} grants {object}.{decided_by}.",
    Why.TOKEN_GRANTS: "{grants}, but the API token does not include it.",
    Why.OUT_OF_SCOPE: "{grants}, and that does not reach this record{stands_in}.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """May this user (or his token) do this, with this record?"""

    user_id: str
    object: str
    action: str
    record: Record | None
    token_id: str = ""
    ended: bool = False
    """True for an API token that does not work any more."""


def record_of(request: Any) -> Record | None:
    """The record that a request describes; None if it asks in general."""
    if not request.of_record:
        return None
    return Record(
        request.owner_id,
        request.department_id,
        tuple(request.follower_ids),
        request.unowned,
        request.shared,
    )


def answer(people: TenantView, rights: Rights, question: Question, now: datetime) -> pb.Explanation:
    """The explanation of one question; `rights` are the user's or the token's."""
    asked = question
    found = explaining.explain(people, rights, asked.object, asked.action, asked.record)
    if asked.ended:
        found = Explained(Why.NOT_ACTIVE, asked.action)
    grants = explaining.grants_of(people, asked.user_id, asked.object, found.decided_by)
    shown = pb.Explanation(
        user_id=asked.user_id,
        user_name=_name(people.user(asked.user_id)),
        api_token_id=asked.token_id,
        object=asked.object,
        action=asked.action,
        allowed=found.allowed,
        reason=REASONS[found.why],
        decided_by=found.decided_by,
        scope=rules.SCOPES.get(rights.scope(asked.object, found.decided_by) or "", 0),  # type: ignore[arg-type]
        grants=[_grant(people, grant) for grant in grants],
        department_path=[
            pb.DepartmentStep(id=id, name=_name(people.department(id))) for id in found.path
        ],
        stands_in=_stands_in(people, asked, now),
        feature=found.feature,
        hidden_fields=[
            pb.HiddenField(path=path, role_ids=roles)
            for path, roles in explaining.hidden_by(people, asked.user_id, asked.object).items()
        ],
        readable_fields=sorted((rights.readable or {}).get(asked.object, ())),
    )
    shown.text = _sentence(people, question, shown, found.why)
    return shown


def _sentence(people: TenantView, question: Question, shown: pb.Explanation, why: Why) -> str:
    owner_id = question.record.owner_id if question.record else ""
    because = _BECAUSE[why].format(
        who=shown.user_name,
        owner=_name(people.user(owner_id)),
        path=" in ".join(step.name for step in shown.department_path),
        feature=shown.feature,
        object=shown.object,
        decided_by=shown.decided_by,
        grants=" and ".join(
            f"the role {g.role_name} grants {g.object}.{g.action} ({rules.SCOPE_NAMES[g.scope]})"
            for g in shown.grants
        )
        or "nothing grants it",
        stands_in=f", although {shown.user_name} stands in for the owner: that lets read and update what both may"
        if shown.stands_in
        else "",
    )
    may = "may" if shown.allowed else "may not"
    what = "this" if question.record else "a"
    return (
        f"{shown.user_name} {may} {shown.action} {what} {shown.object.replace('_', ' ')}: {because}"
    )


def _stands_in(people: TenantView, question: Question, now: datetime) -> bool:
    owner_id = question.record.owner_id if question.record else ""
    if not owner_id or owner_id == question.user_id:
        return False
    return stand_in(people, owner_id, now) == question.user_id


def _grant(people: TenantView, grant: Granting) -> pb.AccessGrant:
    return pb.AccessGrant(
        role_id=grant.role_id,
        role_name=_name(people.role(grant.role_id)),
        object=grant.object,
        action=grant.action,
        scope=rules.SCOPES[grant.scope],
    )


def _name(entry: Any) -> str:
    return str((entry or {}).get("name") or "")
