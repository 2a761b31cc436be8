"""The customer's data page as HTML, in his language: labels bound to inputs, errors announced, no script."""

from collections.abc import Mapping
from html import escape
from typing import Any

from google.rpc import code_pb2

from chassis import errors
from gateway.public import data_inputs, page

_SECRET_ADDRESS = '<meta name="referrer" content="no-referrer">'  # the address is the key

CONSENT = "consent."
"""What the names of consents' inputs begin with; no field's name does."""


def texts(data: Mapping[str, Any]) -> dict[str, str]:
    """The page's own words in the customer's language, English where there are none."""
    return page.words("data", str(data.get("language", "en")))


def render(data: Mapping[str, Any], request_id: str, wrong: Mapping[str, str], alert: str) -> str:
    """The form; `wrong` has a sentence for each field that was refused."""
    words = texts(data)
    fields = "\n".join(
        _field(each, words, wrong.get(each["field"], "")) for each in data.get("fields", ())
    )
    consents = "\n".join(_consent(each) for each in data.get("consents", ()))
    if consents:
        consents = f"<h2>{words['consents']}</h2>\n{consents}"
    asks = escape(words["asks"].format(who=data.get("askedBy", "")))
    body = f"""<h1>{words["title"]}</h1>
<p>{asks}</p>
{page.notice(alert)}
<form method="post" accept-charset="utf-8">
{fields}
{consents}
<input type="hidden" name="_request_id" value="{escape(request_id, quote=True)}">
<button type="submit">{words["send"]}</button>
</form>"""
    return _document(data, words["title"], body)


def thanks(data: Mapping[str, Any], receipt: Mapping[str, Any]) -> str:
    """What the customer reads afterwards: what waits, what holds."""
    words = texts(data)
    told = [words["waiting"]] if receipt.get("waitingFields") else []
    told += [words["noted"]] if receipt.get("consentCount") else []
    lines = "<br>".join(told or [words["nothing"]])
    return _document(
        data, words["thanks"], f'<h1>{words["thanks"]}</h1>\n<p role="status">{lines}</p>'
    )


def told(data: Mapping[str, Any], error: errors.CrmError) -> str:
    """What the customer is told about a refusal."""
    words = texts(data)
    if error.code == code_pb2.RESOURCE_EXHAUSTED:
        return words["busy"]
    return words["wrong"] if error.code == code_pb2.INVALID_ARGUMENT else words["down"]


def refused(code: int, language: str) -> str:
    """A page where nothing is known but the refusal."""
    data = {"language": language}
    words = texts(data)
    text = words["absent"] if code == code_pb2.NOT_FOUND else words["unavailable"]
    return _document(data, words["title"], page.notice(text))


def _field(field: dict[str, Any], words: dict[str, str], error: str) -> str:
    name = escape(field["field"], quote=True)
    label = escape(field.get("label") or words.get(field["field"], field["field"]))
    if field.get("mode") == "MODE_SEE":
        value = escape(data_inputs.shown(field, words))
        return f'<div class="field"><strong>{label}</strong>\n<p>{value}</p></div>'
    described = f' aria-invalid="true" aria-describedby="e-{name}"' if error else ""
    controls = data_inputs.controls(field, words, described)
    return f'<div class="field"><label for="f-{name}">{label}</label>\n{controls}{page.mistake(name, error)}</div>'


def _consent(consent: dict[str, Any]) -> str:
    id = escape(f"{CONSENT}{consent['purpose']}", quote=True)
    checked = " checked" if consent.get("given") else ""
    text = escape(consent.get("text") or consent.get("name", "")).replace("\n", "<br>")
    return (
        f'<div class="field tick"><input type="checkbox" id="{id}" name="{id}" value="yes"{checked}>\n'
        f'<label for="{id}">{text}</label></div>'
    )


def _document(data: Mapping[str, Any], title: str, body: str) -> str:
    return page.document(str(data.get("language") or ""), title, body, _SECRET_ADDRESS)
