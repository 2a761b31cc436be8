"""Keys for searching, sorting and dialling, computed in Python because the database has no ICU.

`search_key` and `sort_key` are different functions on purpose: searching forgets what people do
not type (diacritics, case, punctuation), sorting keeps what an alphabet keeps (Ł is a letter of
its own between L and M). Both results are compared bytewise by PostgreSQL (collation C, UTF-8),
which is the order of code points and therefore also the order of Python strings.

A stored key must equal the key of the query, so a change of these tables needs a re-index.
"""

import re
import unicodedata
from collections.abc import Callable

SORT_KEY_LIMIT = 200
"""Longest sort key in characters: a btree entry must stay well under a third of an 8 kB page."""

_SORT_PRIMARY_LIMIT = 160  # the letters; the rest of SORT_KEY_LIMIT is for accents

_APOSTROPHES = frozenset("'`´‘’‛ʹʻʼʽʾʿ＇")
_VARIATION = frozenset(map(chr, [0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)]))
_SEARCHED_PUNCTUATION = frozenset("@.+-_")  # they carry meaning in addresses, phones and articles

# Letters without a decomposition in Unicode, already casefolded (so ß has become ss).
_BASE_LETTERS = {
    "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ȷ": "j",
    "ħ": "h", "ŧ": "t", "ŋ": "n", "ĸ": "k", "ƀ": "b", "ɓ": "b", "ƈ": "c", "ȼ": "c", "ɖ": "d",
    "ɗ": "d", "ə": "e", "ɛ": "e", "ɇ": "e", "ƒ": "f", "ǥ": "g", "ɠ": "g", "ɨ": "i", "ɩ": "i",
    "ƙ": "k", "ƚ": "l", "ɫ": "l", "ɲ": "n", "ƞ": "n", "ɔ": "o", "ƥ": "p", "ɍ": "r", "ƭ": "t",
    "ⱦ": "t", "ʉ": "u", "ʋ": "v", "ƴ": "y", "ɏ": "y", "ƶ": "z", "ȥ": "z", "ґ": "г",
}  # fmt: skip

# Letters with a place of their own behind their base letter (which ends with z, or with я).
_OWN_PLACE = {
    "ă": "a{", "â": "a|", "ą": "a}", "ć": "c{", "č": "c|", "đ": "d{", "ð": "d|", "ę": "e{",
    "ê": "e|", "ħ": "h{", "ł": "l{", "ń": "n{", "ñ": "n|", "ó": "o{", "ô": "o|", "ơ": "o}",
    "ø": "o~", "ř": "r{", "ś": "s{", "š": "s|", "ŧ": "t{", "ư": "u{", "ź": "z{", "ż": "z|",
    "ž": "z}", "й": "й", "ґ": "гӿ", "є": "еӿ", "і": "иӿ", "ї": "иӿӿ", "ў": "уӿ",
}  # fmt: skip

# Vietnamese order of the tones first, then the accents of Europe.
_ACCENT_ORDER = {
    "\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5", "\u0308": "6",
    "\u0302": "7", "\u030a": "8",
}  # fmt: skip

_NOT_DIGITS = re.compile("[^0-9]+")
_DIGITS = re.compile("[0-9]+")  # after translation every digit is one of these
_THREE_LETTERS = re.compile(r"[^\W_]{3}")  # pg_trgm takes trigrams of letters and digits only


def search_key(text: str) -> str:
    """Fold `text` so that what people type finds what is written: `Wisniewski`, `Wiśniewski`.

    Compatibility decomposition, no combining marks, casefold, base letters (ł -> l, đ -> d,
    æ -> ae, ё -> е, й -> и, ơ -> o), digits of any script as 0-9, apostrophes dropped (Ma'ruf =
    Maruf), other punctuation except ``@ . + - _`` as one space, white space collapsed.
    Idempotent; never raises; the result holds no control character and no lone surrogate.
    """
    return " ".join(text.translate(_SEARCH).split())


def sort_key(text: str) -> str:
    """Return a key of at most 200 characters whose bytewise order is the order people expect.

    The key is ``<letters>`` or ``<letters> TAB <accents>``:

    - letters: case, apostrophes and punctuation do not count, words are divided by one space.
      A letter with a place of its own in the alphabet (Polish, Vietnamese, Czech, ñ, the barred
      letters) is its base letter followed by one of ``{ | } ~``, which sort behind ``z``:
      l < lz < ł = ``l{`` < m. Any other accented letter is its base letter (ü = u). A run of
      digits is its length as one character, then its digits: Firm 2 < Firm 10.
    - accents: only when some letter has an accent that the first part forgot; a digit for each
      character of the text, 0 = none. It orders what is equal otherwise: Muller < Müller.

    One function serves all languages of a tenant, so ó follows the Polish alphabet (a letter
    after o), not the Vietnamese (a tone of o). Text without letters and digits gives "".
    """
    text = unicodedata.normalize("NFC", text)
    letters = " ".join(text.translate(_LETTERS).split())
    letters = _DIGITS.sub(_number, letters)[:_SORT_PRIMARY_LIMIT]
    if text.isascii():
        return letters
    accents = text.translate(_ACCENTS).rstrip("0")
    return f"{letters}\t{accents}"[:SORT_KEY_LIMIT] if accents else letters


def phone_digits(text: str) -> str:
    """Return only the digits of `text`, of any script, as 0-9: ``+48 22 123`` -> ``4822123``."""
    if text.isascii():
        return _NOT_DIGITS.sub("", text)
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


def trigrams_useful(q: str) -> bool:
    """Say whether `q` holds three letters or digits in a row, so that a trigram index serves it.

    With less, the index would read most of the table; the caller searches a prefix instead.
    """
    return _THREE_LETTERS.search(search_key(q)) is not None


class _CharacterTable(dict[int, str]):
    """A `str.translate` table that computes the replacement of a character when first met.

    Folding one character never depends on its neighbours (marks are dropped, not reordered), so
    one look-up per character is exact, and the table cannot outgrow Unicode.
    """

    def __init__(self, replacement: Callable[[str], str]) -> None:
        super().__init__()
        self._replacement = replacement

    def __missing__(self, codepoint: int) -> str:
        value = self[codepoint] = self._replacement(chr(codepoint))
        return value


def _is_invisible(char: str) -> bool:
    """Apostrophes, variation selectors and format characters (soft hyphen, joiners) vanish."""
    return char in _APOSTROPHES or char in _VARIATION or unicodedata.category(char) == "Cf"


def _plain(char: str) -> str:
    """Return a letter or digit as it is compared, and a space for everything else.

    Marks with combining class 0 (vowel signs of Thai and Devanagari) spell words, so they stay.
    """
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return char if unicodedata.category(char)[0] in "LNM" else " "


def _searched(char: str) -> str:
    if _is_invisible(char):
        return ""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(
        c if c in _SEARCHED_PUNCTUATION else _BASE_LETTERS.get(c) or _plain(c)
        for c in folded
        if not unicodedata.combining(c) and not _is_invisible(c)
    )


def _sorted_character(char: str) -> tuple[str, str]:
    """Return what `char` adds to the letters of a sort key, and the digit of its accent."""
    if _is_invisible(char):
        return "", "0"
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", char).casefold())
    pairs = [_sorted_letter(c) for c in folded if not _is_invisible(c)]
    expanded = "9" if len(pairs) > 1 else "0"  # ß = ss, behind a written ss
    accent = max((accent for _, accent in pairs), default="0")
    return "".join(letters for letters, _ in pairs), max(accent, expanded)


def _sorted_letter(char: str) -> tuple[str, str]:
    if char in _OWN_PLACE:
        return _OWN_PLACE[char], "0"
    decomposed = unicodedata.normalize("NFD", char)
    marks = [c for c in decomposed if unicodedata.combining(c)]
    if not marks:
        base = _BASE_LETTERS.get(char)
        return (base, "9") if base else (_plain(char), "0")
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    if not bare:
        return "", "0"  # a mark alone, left over from a cluster that has no composed form
    for mark in sorted(marks, key=_is_tone):
        own = _OWN_PLACE.get(unicodedata.normalize("NFC", bare + mark))
        if own:
            rest = [other for other in marks if other != mark]
            return own, max((_ACCENT_ORDER.get(c, "9") for c in rest), default="0")
    letters, _ = _sorted_letter(unicodedata.normalize("NFC", bare))
    return letters, max(_ACCENT_ORDER.get(c, "9") for c in marks)


def _is_tone(mark: str) -> bool:
    """Say whether `mark` is a Vietnamese tone: the circumflex of ố makes the letter, not these."""
    return mark in "\u0300\u0301\u0303\u0309\u0323"


def _number(run: re.Match[str]) -> str:
    """Put the length before the digits, so that numbers compare by value."""
    digits = run.group().lstrip("0")
    return chr(ord("0") + min(len(digits), 48)) + digits  # 48: the highest that sorts below "a"


_SEARCH = _CharacterTable(_searched)
_LETTERS = _CharacterTable(lambda char: _sorted_character(char)[0])
_ACCENTS = _CharacterTable(lambda char: _sorted_character(char)[1])
