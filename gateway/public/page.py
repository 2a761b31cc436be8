"""What the pages for people without an account share: words in their language, the document around a body, and its answer."""

import json
from functools import cache
from html import escape
from pathlib import Path

from chassis import errors
from gateway import problems
from gateway.exchange import HTML, Exchange, Header, Response

_FOLDER = Path(__file__).parent / "words"
_FALLBACK = "en"


@cache
def _languages() -> dict[str, dict[str, dict[str, str]]]:
    """Language -> page -> key -> words; each file of the folder is a language."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in _FOLDER.glob("*.json")
    }


def words(page: str, language: str) -> dict[str, str]:
    """A page's own words in that language (`pl`, `pl-PL`), English where there are none."""
    languages = _languages()
    return languages.get(language.partition("-")[0].lower(), languages[_FALLBACK])[page]


def notice(text: str) -> str:
    """A refusal that screen readers announce; nothing without a text."""
    return f'<p class="alert" role="alert">{escape(text)}</p>' if text else ""


def mistake(name: str, text: str) -> str:
    """The sentence below a refused input, which names it in `aria-describedby`."""
    return f'<p class="error" id="e-{name}">{escape(text)}</p>' if text else ""


def document(language: str, title: str, body: str, head: str = "") -> str:
    """The whole HTML document; `head` is markup for its head."""
    return f"""<!doctype html>
<html lang="{escape(language or _FALLBACK, quote=True)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/static/form.css">
{head}
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def html(
    exchange: Exchange, page: str, policy: bytes, error: errors.CrmError | None = None
) -> Response:
    """A page that nobody keeps on the way, under this content security policy; with the status of the refusal it tells of."""
    headers: list[Header] = [
        (b"content-security-policy", policy),
        (b"cache-control", b"no-store"),
    ]
    status = 200
    if error is not None:
        refusal = problems.problem(error, exchange)
        status = refusal.status
        headers += [header for header in refusal.headers if header[0] == b"retry-after"]
    return Response(status, page.encode(), content_type=HTML, headers=headers)
