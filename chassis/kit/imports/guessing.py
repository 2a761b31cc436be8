"""What a file is, guessed from its first lines: format, encoding, separator, header, and what its columns hold."""

import codecs
import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from charset_normalizer import from_bytes

from chassis.fold import search_key
from chassis.kit.imports.adapter import Target
from chassis.kit.imports.values import looks_like
from crm.common.v1 import imports_pb2 as pb

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What each of the three 8-bit encodings that people's programs write is used for: letters of its languages.
_LETTERS = {
    "cp1252": "àâäçèéêëîïôöùûüÿœæñõåøßÀÂÄÇÈÉÊËÎÏÔÖÙÛÜŒÆÑÕÅØ€’“”–",
    "cp1250": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžőűăâîşţ",
    "cp1251": "".join(chr(c) for c in range(0x410, 0x450)) + "ёЁіїєґ",
}
_SEPARATORS = ",;\t|"
_SAMPLE_LINES = 30
_SURE, _FAIR, _LEAST = 1.0, 0.75, 0.5


def file_format(start: bytes) -> int:
    """By the first bytes: a zip archive is a workbook, BEGIN:VCARD a card, anything else a table of text."""
    if start.startswith(b"PK\x03\x04"):
        return pb.FILE_FORMAT_XLSX
    head = start[:400].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t").upper()
    return pb.FILE_FORMAT_VCARD if head.startswith(b"BEGIN:VCARD") else pb.FILE_FORMAT_CSV


def encoding(start: bytes) -> str:
    """The encoding of a text by its first bytes; a cut last character counts for nothing."""
    for bom, name in _BOMS:
        if start.startswith(bom):
            return name
    zeros = start[:2000].count(0)
    if zeros > len(start[:2000]) // 5:
        return "utf-16-le" if start[1:2] == b"\x00" else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
        return "utf-8"
    except UnicodeDecodeError:
        return _eight_bits(start)


def _eight_bits(start: bytes) -> str:
    """The encoding whose own letters explain the high bytes best; charset-normalizer where they do not tell."""
    high = bytes(b for b in start if b >= 0x80)[:4000]
    scores = {
        name: sum(letter in letters for letter in high.decode(name, errors="replace")) / len(high)
        for name, letters in _LETTERS.items()
    }
    best = max(scores, key=lambda name: scores[name])  # the first of equals: then they read alike
    if scores[best] >= _FAIR:
        return best
    found = from_bytes(start[:20_000], cp_isolation=[*_LETTERS]).best()
    return found.encoding if found is not None else best


def separator(text: str) -> str:
    """The character that splits the first lines into the same number of cells most steadily."""
    lines = text.splitlines()[:_SAMPLE_LINES]
    if len(text) > 1000 and len(lines) > 1:
        lines.pop()  # may be cut

    def steadiness(candidate: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=candidate) if row]
        except csv.Error:
            return 0.0, 0
        if not widths:
            return 0.0, 0
        usual = max(set(widths), key=widths.count)
        return (widths.count(usual) / len(widths) if usual > 1 else 0.0), usual

    best = max(_SEPARATORS, key=steadiness)
    return best if steadiness(best)[1] > 1 else ","


def header_row(first: Sequence[tuple[int, list[str]]]) -> int:
    """The line of the headers: the first wide line of different texts, none of them a number or address; -1 if none is."""
    width = max(len([c for c in cells if c]) for _, cells in first)
    for line, cells in first[:20]:
        filled = [cell for cell in cells if cell.strip()]
        if len(filled) < max(1, (width + 1) // 2):
            continue  # a title above the table
        if all(is_header(cell) for cell in filled) and len(set(filled)) * 2 > len(filled):
            return line
        return -1
    return first[0][0]


def is_header(cell: str) -> bool:
    """True if the text can be a header: short, no address, hardly a digit."""
    text = cell.strip()
    return (
        len(text) <= 80
        and "@" not in text
        and sum(c.isdigit() for c in text) <= max(2, len(text) // 4)
    )


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column fills (nothing if empty), and how sure that is, from 0 to 1."""

    field: str = ""
    confidence: float = 0.0


def columns(
    headers: Sequence[str], samples: Sequence[Sequence[str]], targets: Sequence[Target]
) -> list[Guess]:
    """A guess for each column by its header in any of the languages and by its values; a field that holds one value is
    given once, to the column that fits best."""
    names = _names(targets)
    offers: list[tuple[float, int, Target]] = []
    for at, header in enumerate(headers):
        for target, by_name in _by_header(header, names).items():
            score = _with_values(by_name, target, samples[at])
            if score >= _LEAST:
                offers.append((score, -at, target))
        if not header.strip() or not any(o[1] == -at for o in offers):
            offers += [(score, -at, t) for score, t in _by_values(targets, samples[at])]
    guesses = [Guess() for _ in headers]
    taken: set[str] = set()
    for score, minus_at, target in sorted(offers, key=lambda o: (o[0], o[1]), reverse=True):
        if guesses[-minus_at].field or (target.path in taken and not target.repeats):
            continue
        taken.add(target.path)
        guesses[-minus_at] = Guess(target.path, round(score, 2))
    return guesses


def _names(targets: Iterable[Target]) -> dict[str, list[Target]]:
    found: dict[str, list[Target]] = {}
    for target in targets:
        for name in (target.path, *target.names):
            found.setdefault(fold(name), []).append(target)
    return found


def fold(header: str) -> str:
    """A header without case, accents, punctuation and numbers at its end: `Nr tel. 2` is `nr tel`."""
    words = re.sub(r"[\W_]+", " ", search_key(header)).split()
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return " ".join(words)


def _by_header(header: str, names: Mapping[str, list[Target]]) -> dict[Target, float]:
    folded = fold(header)
    if not folded:
        return {}
    if folded in names:
        return dict.fromkeys(names[folded], _SURE)
    found: dict[Target, float] = {}
    words = set(folded.split())
    for name, targets in names.items():
        theirs = set(name.split())
        if len(theirs) > 1 and theirs <= words:
            score = 0.85
        elif theirs <= words:
            score = _FAIR - 0.05 * (len(words) - len(theirs))
        elif len(folded) > 3 and len(name) > 3:
            ratio = SequenceMatcher(None, folded, name).ratio()
            score = 0.7 * ratio if ratio > 0.84 else 0.0
        else:
            score = 0.0
        for target in targets if score else ():
            found[target] = max(found.get(target, 0.0), score)
    return found


def _with_values(by_name: float, target: Target, samples: Sequence[str]) -> float:
    """Values that fit raise a doubtful guess and values that do not fit lower any."""
    share = _share(target.kind, samples)
    if share is None:
        return by_name
    return min(1.0, by_name + 0.1 * share) if share >= 0.5 else by_name * (0.5 + share)


def _by_values(targets: Sequence[Target], samples: Sequence[str]) -> list[tuple[float, Target]]:
    """Without a telling header only values that cannot be anything else count."""
    return [
        (0.6 * share, target)
        for target in targets
        if target.by_values and (share := _share(target.kind, samples)) and share > 0.85
    ]


def _share(kind: str, samples: Sequence[str]) -> float | None:
    """How many of the values look like this kind; None where any text would or there is no value."""
    values = [sample for sample in samples if sample.strip()]
    fits = [looks_like(kind, value) for value in values]
    known = [fit for fit in fits if fit is not None]
    return sum(known) / len(known) if known else None
