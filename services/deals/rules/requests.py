"""What a deal takes over from a request. Pure."""

from crm.contacts.v1 import request_pb2
from crm.deals.v1 import deal_pb2

Request = request_pb2.Request
Deal = deal_pb2.Deal

_TITLE_LENGTH = 200


def seed(request: Request) -> Deal:
    """The deal that the request begins: whose it is, for whom, what brought it; title from what the customer wrote."""
    made = Deal(
        title=title(request), contact_id=request.contact_id, company_id=request.company_id,
        owner_id=request.owner_id, department_id=request.department_id, source_id=request.source_id,
        request_ids=[request.id], follower_ids=request.follower_ids, label_ids=request.label_ids,
        request_time=request.create_time,
    )  # fmt: skip
    for field in ("first_touch", "last_touch"):
        if request.HasField(field):
            getattr(made, field).CopyFrom(getattr(request, field))
    return made


def title(request: Request) -> str:
    """The first line of the text, shortened; the name where there is none."""
    text = " ".join((request.text or request.name or request.company_name).split())
    return text if len(text) <= _TITLE_LENGTH else text[: _TITLE_LENGTH - 1].rstrip() + "…"
