"""The hosted form's HTML: labels bound to inputs, errors announced, no script needed."""

from html import escape
from typing import Any

from google.rpc import code_pb2

from chassis import errors
from gateway.public import page

_INPUT_TYPES = {"TYPE_PHONE": ("tel", "tel"), "TYPE_EMAIL": ("email", "email")}
_COMPLETE = {
    "MEANING_NAME": "name",
    "MEANING_PHONE": "tel",
    "MEANING_EMAIL": "email",
    "MEANING_COMPANY_NAME": "organization",
}
_HIDDEN = ("_request_id", "_first_touch", "_last_touch", "_visitor_id")


def texts(form: dict[str, Any]) -> dict[str, str]:
    """The page's own words in the form's language, English where there are none."""
    return page.words("form", form.get("language", "en"))


def told(form: dict[str, Any], error: errors.CrmError) -> str:
    """What a visitor is told about a refusal."""
    words = texts(form)
    if error.code == code_pb2.RESOURCE_EXHAUSTED:
        return words["busy"]
    if error.code in (code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED, code_pb2.INTERNAL):
        return words["down"]
    return words["wrong"] if error.violations else f"{words['refused']} {error.message}"


def render(form: dict[str, Any], answers: dict[str, str], wrong: dict[str, str], alert: str) -> str:
    """The form with these answers; `wrong` has a sentence for each field that was refused."""
    words = texts(form)
    key = escape(form.get("formKey", ""), quote=True)
    fields = "\n".join(_field(field, words, answers, wrong) for field in form.get("fields", ()))
    hidden = "\n".join(
        f'<input type="hidden" name="{name}" value="{escape(answers.get(name, ""), quote=True)}">'
        for name in _HIDDEN
    )
    button = escape(form.get("submitText") or words["send"])
    body = f"""<h1>{escape(form.get("title") or words["title"])}</h1>
{page.notice(alert)}
<form method="post" action="/forms/{key}" data-akrab-form="{key}" data-akrab-native accept-charset="utf-8">
{fields}
<div class="trap" aria-hidden="true"><label for="_website">{words["empty"]}</label>
<input id="_website" name="_website" tabindex="-1" autocomplete="off"></div>
{hidden}
<button type="submit">{button}</button>
</form>"""
    return _document(form, form.get("title") or words["title"], body, key)


def thanks(form: dict[str, Any], text: str) -> str:
    """What the visitor sees afterwards."""
    words = texts(form)
    lines = escape(text or form.get("thankYouText") or words["received"]).replace("\n", "<br>")
    return _document(
        form, words["thanks"], f'<h1>{words["thanks"]}</h1>\n<p role="status">{lines}</p>'
    )


def refused(code: int) -> str:
    """A page where not even the form's language is known."""
    words = texts({})
    text = words["absent"] if code == code_pb2.NOT_FOUND else words["unavailable"]
    return _document({}, words["title"], page.notice(text))


def _field(
    field: dict[str, Any], words: dict[str, str], answers: dict[str, str], wrong: dict[str, str]
) -> str:
    key = escape(field.get("key", ""), quote=True)
    kind = field.get("type", "TYPE_TEXT")
    error = wrong.get(field.get("key", ""), "")
    attributes = f'id="f-{key}" name="{key}"'
    if field.get("required"):
        attributes += " required"
    if error:
        attributes += f' aria-invalid="true" aria-describedby="e-{key}"'
    if complete := _COMPLETE.get(field.get("meaning", "")):
        attributes += f' autocomplete="{complete}"'
    mark = f' <span class="required">({words["required"]})</span>' if field.get("required") else ""
    label = f'<label for="f-{key}">{escape(field.get("label", ""))}{mark}</label>'
    value = answers.get(field.get("key", ""), "")
    control = _control(kind, attributes, value, field.get("choices", ()), words)
    parts = (control, label) if kind == "TYPE_YES_NO" else (label, control)
    return f'<div class="field{" tick" if kind == "TYPE_YES_NO" else ""}">{parts[0]}\n{parts[1]}{page.mistake(key, error)}</div>'


def _control(kind: str, attributes: str, value: str, choices: Any, words: dict[str, str]) -> str:
    if kind == "TYPE_LONG_TEXT":
        return f'<textarea {attributes} rows="5" maxlength="10000">{escape(value)}</textarea>'
    if kind == "TYPE_YES_NO":
        return f'<input type="checkbox" {attributes} value="yes"{" checked" if value else ""}>'
    if kind == "TYPE_CHOICE":
        options = "".join(
            f"<option{' selected' if choice == value else ''}>{escape(choice)}</option>"
            for choice in choices
        )
        return f'<select {attributes}><option value="">{words["choose"]}</option>{options}</select>'
    type_, mode = _INPUT_TYPES.get(kind, ("text", "text"))
    quoted = escape(value, quote=True)
    return (
        f'<input type="{type_}" inputmode="{mode}" {attributes} maxlength="1000" value="{quoted}">'
    )


def _document(form: dict[str, Any], title: str, body: str, key: str = "") -> str:
    script = (
        f'<script src="/v1/public/snippet.js" data-form-key="{key}" defer></script>' if key else ""
    )
    return page.document(form.get("language") or "", title, body, script)
