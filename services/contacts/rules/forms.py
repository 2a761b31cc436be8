"""Forms: what a form must be, and what a visitor's answers mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chassis.errors import Violation
from crm.contacts.v1 import form_pb2
from services.contacts import errors
from services.contacts.rules import parties

Form, FormField = form_pb2.Form, form_pb2.FormField

LARGEST_SUBMISSION = 32_000
"""Most bytes of one submission as JSON: it is kept whole as the request's raw content."""
USUAL_RATE_LIMIT = 10
"""Requests per minute and address where the form says nothing."""

_NO = ("", "no", "false", "0", "off")
_LIMITS = {"name": 200, "phone": 100, "email": 254, "company_name": 200, "text": 10_000}
_FIELD_OF = {
    FormField.MEANING_NAME: "name",
    FormField.MEANING_PHONE: "phone",
    FormField.MEANING_EMAIL: "email",
    FormField.MEANING_COMPANY_NAME: "company_name",
    FormField.MEANING_TEXT: "text",
}


@dataclass(slots=True)
class Answers:
    """What a visitor said, by what it means; `others` holds the rest by key."""

    name: str = ""
    phone: str = ""
    email: str = ""
    company_name: str = ""
    text: str = ""
    others: dict[str, str] = field(default_factory=dict)


def normalise(form: Form) -> None:
    """Brings a form into the form in which it is kept, or refuses with everything that is wrong."""
    wrong: parties.Wrong = []
    seen: set[str] = set()
    for at, question in enumerate(form.fields):
        if question.key in seen:
            wrong.append(_wrong(f"fields[{at}].key", f"{question.key!r} is given twice"))
        seen.add(question.key)
        if question.type == FormField.TYPE_CHOICE and not question.choices:
            wrong.append(_wrong(f"fields[{at}].choices", "a choice needs something to choose from"))
        _check_consent(question, at, wrong)
    for at, origin in enumerate(form.allowed_origins):
        parts = urlsplit(origin.strip().lower())
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
        ):
            wrong.append(
                _wrong(
                    f"allowed_origins[{at}]",
                    f"{origin!r} is no scheme and host like https://shop.example",
                )
            )
        form.allowed_origins[at] = f"{parts.scheme}://{parts.netloc}"
    parties.replace(form.allowed_origins, parties.unique(form.allowed_origins))
    parties.replace(form.assignment.user_ids, parties.unique(form.assignment.user_ids))
    parties.refuse(wrong)


def _check_consent(question: FormField, at: int, wrong: parties.Wrong) -> None:
    consents = question.meaning == FormField.MEANING_CONSENT
    if consents and question.type != FormField.TYPE_YES_NO:
        wrong.append(_wrong(f"fields[{at}].type", "a consent is a tick: TYPE_YES_NO"))
    if consents != bool(question.purpose):
        advice = "a consent needs a purpose" if consents else "only MEANING_CONSENT has a purpose"
        wrong.append(_wrong(f"fields[{at}].purpose", advice))
    parties.replace(question.channels, parties.unique(c for c in question.channels if c))


def consents(form: Form, answers: Mapping[str, str]) -> list[FormField]:
    """The consents that the visitor ticked."""
    return [
        question
        for question in form.fields
        if question.meaning == FormField.MEANING_CONSENT
        and answers.get(question.key, "").lower() not in _NO
    ]


def check_origin(form: Form, origin: str) -> None:
    """Refuses a page of a site that is not among the form's; a caller that is no page sends no origin."""
    if origin and form.allowed_origins and origin.lower() not in form.allowed_origins:
        raise errors.OriginNotAllowed(origin)


def rate_limit(form: Form) -> int:
    """How many requests one address may send in a minute."""
    return form.rate_limit_per_minute or USUAL_RATE_LIMIT


def read(form: Form, sent: Mapping[str, Any], *, complete: bool = True) -> Answers:
    """The answers by meaning. Refuses missing required answers and impossible choices, all at once, if `complete`.

    Phones and e-mails are not judged: a request with a mistyped phone is still a request.
    """
    said = {key: text for key, value in sent.items() if (text := as_text(value))}
    answers = Answers()
    wrong: list[Violation] = []
    for question in form.fields:
        text = said.pop(question.key, "")
        if question.required and not text:
            wrong.append(
                Violation(f"fields.{question.key}", f"{question.label}: an answer is needed")
            )
        elif text and question.type == FormField.TYPE_CHOICE and text not in question.choices:
            choices = ", ".join(question.choices)
            wrong.append(
                Violation(f"fields.{question.key}", f"{question.label}: choose one of {choices}")
            )
        elif text:
            _keep(answers, question, text)
    if wrong and complete:
        raise errors.AnswersInvalid(wrong)
    answers.others |= {key[:100]: text for key, text in said.items()}
    return answers


def as_text(value: Any) -> str:
    """What was sent as text, whatever kind of JSON value it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return ", ".join(text for item in value if (text := as_text(item)))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text}" for key, item in value.items() if (text := as_text(item)))
    return str(value).strip()


def _keep(answers: Answers, question: FormField, text: str) -> None:
    name = _FIELD_OF.get(question.meaning)
    if name is None:
        answers.others[question.key] = text
        return
    before = getattr(answers, name)
    joiner = (
        "\n" if name == "text" else " "
    )  # two fields of one meaning, as given and family name, belong together
    setattr(answers, name, (f"{before}{joiner}{text}" if before else text)[: _LIMITS[name]])


def _wrong(field_name: str, description: str) -> tuple[type[errors.ValuesInvalid], Violation]:
    return errors.ValuesInvalid, Violation(field_name, description)
