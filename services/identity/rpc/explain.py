"""Why somebody may or may not do something, and who may (M21)."""

from chassis import contracts
from chassis.call import Actor
from chassis.explaining import explain, methods_of
from chassis.handlers import Servicer, reads
from chassis.kit.access import AccessRpcs
from chassis.kit.resource import checked_id
from chassis.rights import Rights
from chassis.tx import Tx
from crm.identity.v1 import explain_pb2 as pb
from services.identity import errors, explaining, store
from services.identity.explaining import Question
from services.identity.real_time import real_now


class Access(AccessRpcs, Servicer):
    """Whose records of this service are."""

    service = "crm.identity.v1.IdentityAccessService"


class Explain(Servicer):
    """`/v1/access:explain` and `/v1/access`."""

    service = "crm.identity.v1.ExplainService"

    @reads
    async def ExplainAccess(self, request: pb.ExplainAccessRequest, tx: Tx) -> pb.Explanation:
        _check_right(request.object, request.action)
        user_id = request.user_id or tx.actor.user_id
        if user_id != tx.actor.user_id:
            await store.users.get(tx, user_id, action="explain")
        rights, ended = _rights(tx, user_id, request.api_token_id)
        question = Question(
            user_id,
            request.object,
            request.action,
            explaining.record_of(request),
            request.api_token_id,
            ended,
        )
        return explaining.answer(tx.directory, rights, question, tx.now)

    @reads
    async def ListAccess(self, request: pb.ListAccessRequest, tx: Tx) -> pb.ListAccessResponse:
        _check_right(request.object, request.action)
        after = checked_id("user", request.page_token) if request.page_token else ""
        size, record = request.page_size or 50, explaining.record_of(request)
        page = pb.ListAccessResponse()
        for user_id in sorted(id for id in tx.directory.users() if id > str(after)):
            if not _may_ask_about(tx, user_id):
                continue
            rights, _ = _rights(tx, user_id, "")
            if not explain(tx.directory, rights, request.object, request.action, record).allowed:
                continue
            if len(page.explanations) == size:
                page.next_page_token = page.explanations[-1].user_id
                break
            question = Question(user_id, request.object, request.action, record)
            page.explanations.append(explaining.answer(tx.directory, rights, question, tx.now))
        return page


def _check_right(object: str, action: str) -> None:
    """Refuses a right that no call asks for: its explanation would be about nothing."""
    if not methods_of(object, action):
        actions = sorted(a for o, a in contracts.rights() if o == object)
        raise errors.RightUnknown(object, action, actions)


def _may_ask_about(tx: Tx, user_id: str) -> bool:
    """As `store.users.get(..., action="explain")` decides, out of the directory: a page looks at every user."""
    department_id = (tx.directory.user(user_id) or {}).get("department_id") or ""
    return user_id == tx.actor.user_id or all(
        tx.rights.reaches("user", action, "", department_id) for action in ("read", "explain")
    )


def _rights(tx: Tx, user_id: str, token_id: str) -> tuple[Rights, bool]:
    """The rights that decide, and whether they belong to a token that has ended."""
    authentication, tenant = tx.runtime.authentication, tx.tenant or ""
    of_user = authentication.rights_of_user(tenant, user_id)
    if not token_id:
        return of_user, False
    token = tx.directory.token(token_id)
    if token is None or token.get("user_id") != user_id:
        raise store.api_tokens.not_found(token_id)
    active = (tx.directory.user(user_id) or {}).get("state") == "active"
    if not active or (token.get("expires") and token["expires"] <= real_now().timestamp()):
        return of_user, True
    return authentication.rights_of(tenant, Actor("token", token_id, user_id)), False
