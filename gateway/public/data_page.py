"""The customer's data page as HTML, in his language: labels bound to inputs, errors announced, no script."""

from collections.abc import Mapping
from html import escape
from typing import Any

from google.rpc import code_pb2

from chassis import errors
from gateway.public import data_inputs

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Your data", "asks": "{who} asks you to check and complete your data.", "send": "Send",
        "consents": "What you agree to", "choose": "Choose…", "yes": "yes", "no": "no",
        "thanks": "Thank you!", "waiting": "Your changes were sent; they hold as soon as a colleague has looked at them.",
        "noted": "Your choice was noted.", "nothing": "Nothing has changed.",
        "wrong": "Something is not readable. Please look at the marked fields.",
        "busy": "Too much was sent. Please wait a while and send again; what you typed is below.",
        "down": "We could not take your changes just now. Please send them again in a moment; what you typed is below.",
        "absent": "There is nothing at this address. Please ask whoever sent it to you for a new one.",
        "unavailable": "This page is not reachable just now. Please try again in a moment.",
        "given_name": "First name", "family_name": "Last name", "salutation": "Salutation", "phones": "Phone",
        "emails": "E-mail", "addresses": "Address", "birthday": "Birthday", "language": "Language",
        "preferred_channel": "How to reach you", "position": "Position", "tax_numbers": "Tax number",
        "lines": "Street and house", "postalCode": "Postal code", "city": "Town", "region": "Region",
        "country": "Country (two letters)", "PHONE": "Phone", "EMAIL": "E-mail", "SMS": "Text message",
        "MESSENGER": "Messenger", "POST": "Letter",
    },
    "pl": {
        "title": "Twoje dane", "asks": "{who} prosi o sprawdzenie i uzupełnienie Twoich danych.", "send": "Wyślij",
        "consents": "Twoje zgody", "choose": "Wybierz…", "yes": "tak", "no": "nie",
        "thanks": "Dziękujemy!", "waiting": "Zmiany zostały wysłane; zaczną obowiązywać, gdy sprawdzi je pracownik.",
        "noted": "Zapisaliśmy Twój wybór.", "nothing": "Nic się nie zmieniło.",
        "wrong": "Czegoś nie da się odczytać. Sprawdź zaznaczone pola.",
        "busy": "Wysłano zbyt wiele. Odczekaj chwilę i wyślij ponownie; treść jest poniżej.",
        "down": "Nie mogliśmy teraz przyjąć zmian. Wyślij je ponownie za chwilę; treść jest poniżej.",
        "absent": "Pod tym adresem nic nie ma. Poproś nadawcę o nowy.",
        "unavailable": "Strona jest chwilowo niedostępna. Spróbuj ponownie za chwilę.",
        "given_name": "Imię", "family_name": "Nazwisko", "salutation": "Zwrot grzecznościowy", "phones": "Telefon",
        "emails": "E-mail", "addresses": "Adres", "birthday": "Data urodzenia", "language": "Język",
        "preferred_channel": "Jak się kontaktować", "position": "Stanowisko", "tax_numbers": "Numer podatkowy",
        "lines": "Ulica i numer", "postalCode": "Kod pocztowy", "city": "Miejscowość", "region": "Województwo",
        "country": "Kraj (dwie litery)", "PHONE": "Telefon", "EMAIL": "E-mail", "SMS": "SMS",
        "MESSENGER": "Komunikator", "POST": "List",
    },
    "id": {
        "title": "Data Anda", "asks": "{who} meminta Anda memeriksa dan melengkapi data Anda.", "send": "Kirim",
        "consents": "Persetujuan Anda", "choose": "Pilih…", "yes": "ya", "no": "tidak",
        "thanks": "Terima kasih!", "waiting": "Perubahan Anda telah dikirim; berlaku setelah diperiksa petugas.",
        "noted": "Pilihan Anda telah dicatat.", "nothing": "Tidak ada yang berubah.",
        "wrong": "Ada yang tidak terbaca. Periksa kolom yang ditandai.",
        "busy": "Terlalu banyak kiriman. Tunggu sebentar lalu kirim lagi; isian Anda ada di bawah.",
        "down": "Perubahan belum dapat kami terima. Silakan kirim lagi sebentar lagi; isian Anda ada di bawah.",
        "absent": "Tidak ada apa-apa di alamat ini. Mintalah alamat baru kepada pengirimnya.",
        "unavailable": "Halaman ini sedang tidak dapat dibuka. Silakan coba lagi sebentar lagi.",
        "given_name": "Nama depan", "family_name": "Nama belakang", "salutation": "Sapaan", "phones": "Telepon",
        "emails": "Surel", "addresses": "Alamat", "birthday": "Tanggal lahir", "language": "Bahasa",
        "preferred_channel": "Cara menghubungi Anda", "position": "Jabatan", "tax_numbers": "Nomor pajak",
        "lines": "Jalan dan nomor rumah", "postalCode": "Kode pos", "city": "Kota", "region": "Provinsi",
        "country": "Negara (dua huruf)", "PHONE": "Telepon", "EMAIL": "Surel", "SMS": "SMS",
        "MESSENGER": "Aplikasi pesan", "POST": "Surat",
    },
    "ms": {
        "title": "Data anda", "asks": "{who} meminta anda menyemak dan melengkapkan data anda.", "send": "Hantar",
        "consents": "Persetujuan anda", "choose": "Pilih…", "yes": "ya", "no": "tidak",
        "thanks": "Terima kasih!", "waiting": "Perubahan anda telah dihantar; berkuat kuasa selepas disemak petugas.",
        "noted": "Pilihan anda telah dicatat.", "nothing": "Tiada apa yang berubah.",
        "wrong": "Ada yang tidak dapat dibaca. Sila semak ruang yang ditanda.",
        "busy": "Terlalu banyak dihantar. Tunggu sebentar dan hantar lagi; isian anda ada di bawah.",
        "down": "Perubahan belum dapat kami terima. Sila hantar lagi sebentar nanti; isian anda ada di bawah.",
        "absent": "Tiada apa-apa di alamat ini. Sila minta alamat baharu daripada pengirimnya.",
        "unavailable": "Halaman ini tidak dapat dibuka buat masa ini. Sila cuba sebentar nanti.",
        "given_name": "Nama pertama", "family_name": "Nama keluarga", "salutation": "Panggilan", "phones": "Telefon",
        "emails": "E-mel", "addresses": "Alamat", "birthday": "Tarikh lahir", "language": "Bahasa",
        "preferred_channel": "Cara menghubungi anda", "position": "Jawatan", "tax_numbers": "Nombor cukai",
        "lines": "Jalan dan nombor rumah", "postalCode": "Poskod", "city": "Bandar", "region": "Negeri",
        "country": "Negara (dua huruf)", "PHONE": "Telefon", "EMAIL": "E-mel", "SMS": "SMS",
        "MESSENGER": "Aplikasi mesej", "POST": "Surat",
    },
}  # fmt: skip

CONSENT = "consent."
"""What the names of consents' inputs begin with; no field's name does."""


def texts(data: Mapping[str, Any]) -> dict[str, str]:
    """The page's own words in the customer's language, English where there are none."""
    return _TEXTS.get(str(data.get("language", "en")).partition("-")[0].lower(), _TEXTS["en"])


def render(data: Mapping[str, Any], request_id: str, wrong: Mapping[str, str], alert: str) -> str:
    """The form; `wrong` has a sentence for each field that was refused."""
    words = texts(data)
    fields = "\n".join(
        _field(each, words, wrong.get(each["field"], "")) for each in data.get("fields", ())
    )
    consents = "\n".join(_consent(each) for each in data.get("consents", ()))
    if consents:
        consents = f"<h2>{words['consents']}</h2>\n{consents}"
    notice = f'<p class="alert" role="alert">{escape(alert)}</p>' if alert else ""
    asks = escape(words["asks"].format(who=data.get("askedBy", "")))
    body = f"""<h1>{words["title"]}</h1>
<p>{asks}</p>
{notice}
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
    return _document(data, words["title"], f'<p class="alert" role="alert">{text}</p>')


def _field(field: dict[str, Any], words: dict[str, str], error: str) -> str:
    name = escape(field["field"], quote=True)
    label = escape(field.get("label") or words.get(field["field"], field["field"]))
    if field.get("mode") == "MODE_SEE":
        value = escape(data_inputs.shown(field, words))
        return f'<div class="field"><strong>{label}</strong>\n<p>{value}</p></div>'
    described = f' aria-invalid="true" aria-describedby="e-{name}"' if error else ""
    controls = data_inputs.controls(field, words, described)
    message = f'<p class="error" id="e-{name}">{escape(error)}</p>' if error else ""
    return f'<div class="field"><label for="f-{name}">{label}</label>\n{controls}{message}</div>'


def _consent(consent: dict[str, Any]) -> str:
    id = escape(f"{CONSENT}{consent['purpose']}", quote=True)
    checked = " checked" if consent.get("given") else ""
    text = escape(consent.get("text") or consent.get("name", "")).replace("\n", "<br>")
    return (
        f'<div class="field tick"><input type="checkbox" id="{id}" name="{id}" value="yes"{checked}>\n'
        f'<label for="{id}">{text}</label></div>'
    )


def _document(data: Mapping[str, Any], title: str, body: str) -> str:
    language = escape(str(data.get("language") or "en"), quote=True)
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/static/form.css">
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
