"""The words of the public pages: every language says everything, with the same places to fill in."""

import json
from pathlib import Path
from string import Formatter

import pytest

from gateway.public import page

FOLDER = Path(page.__file__).parent / "words"


def texts(language: str) -> dict[tuple[str, str], str]:
    pages = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return {(name, key): text for name, words in pages.items() for key, text in words.items()}


def places(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_the_languages_of_the_people_we_serve_are_there() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {"en", "id", "ms", "pl"}


@pytest.mark.parametrize("language", ["id", "ms", "pl"])
def test_a_language_says_what_english_says(language: str) -> None:
    english, other = texts("en"), texts(language)

    assert other.keys() == english.keys()
    assert [key for key in other if not other[key].strip()] == []
    assert {key: places(other[key]) for key in other} == {
        key: places(english[key]) for key in other
    }


@pytest.mark.parametrize(
    ("language", "sends"), [("pl", "Wyślij"), ("pl-PL", "Wyślij"), ("PL", "Wyślij"), ("fr", "Send")]
)
def test_words_are_in_the_visitors_language_or_english(language: str, sends: str) -> None:
    assert page.words("form", language)["send"] == sends
