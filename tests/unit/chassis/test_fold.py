"""Search keys find what people type; sort keys order names as people expect."""

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.fold import SORT_KEY_LIMIT, phone_digits, search_key, sort_key, trigrams_useful

ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates included


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Wisniewski", "Wiśniewski"),
        ("lukasz", "ŁUKASZ"),
        ("zolc", "Żółć"),
        ("Strasse", "Straße"),
        ("soren", "Søren"),
        ("aether", "Æther"),
        ("oeuvre", "Œuvre"),
        ("thorsteinn gudmundsson", "Þorsteinn Guðmundsson"),
        ("istanbul diyarbakir", "İstanbul Diyarbakır"),
        ("hal gharghur", "Ħal Għargħur"),
        ("nguyen thi dieu hong", "Nguyễn Thị Diệu Hồng"),
        ("do quoc tuong", "Đỗ Quốc Tường"),
        ("vo van tho", "Võ Văn Thơ"),
        ("семенов алексеи", "Семёнов Алексей"),
        ("maruf", "Ma'ruf"),
        ("nuraini", "Nur’aini"),
        ("sp. z o.o.", "SP.  Z\tO.O."),
        ("alpha beta", "«Alpha», (Beta)!"),
        ("123", "１２３"),
        ("jan", "Jan\u00ad\u200b"),
    ],
)
def test_what_is_typed_finds_what_is_written(typed: str, written: str) -> None:
    assert search_key(written) == search_key(typed) == typed.casefold()


def test_search_key_keeps_the_punctuation_of_addresses_phones_and_articles() -> None:
    assert search_key("Anna.Nowak+crm@Firma-X.PL / A_1") == "anna.nowak+crm@firma-x.pl a_1"


def test_search_key_keeps_vowel_signs_that_spell_thai_words() -> None:
    assert search_key("สมชาย ใจดี") == "สมชาย ใจดี"


@pytest.mark.large
def test_search_key_of_every_character_is_its_own_search_key() -> None:
    # Above plane 1 there are only ideographs, sampled, and code points nobody assigned.
    codes = [*range(0x20000), *range(0x20000, sys.maxunicode + 1, 0x101)]
    unstable = [
        hex(code)
        for code in codes
        if search_key(search_key(f"a{chr(code)}b")) != search_key(f"a{chr(code)}b")
    ]
    assert unstable == []


@given(ANY_TEXT)
def test_search_key_is_idempotent_and_fit_for_the_database(text: str) -> None:
    key = search_key(text)
    assert search_key(key) == key
    assert "\x00" not in key
    key.encode()  # a lone surrogate would raise


@given(ANY_TEXT, ANY_TEXT)
def test_search_key_folds_words_independently(left: str, right: str) -> None:
    assert search_key(f"{left} {right}") == f"{search_key(left)} {search_key(right)}".strip()


POLISH = [
    "Adamczyk", "Azymut", "Ąbrowski", "Cyganek", "Czarnecki", "Ćwik", "Dąb", "Dąbrowska",
    "Lis", "Lubicz", "Łabędź", "Łukasz", "Maj", "Nowak", "Ńkała", "Sobczak", "Szymański",
    "Śliwa", "Świątek", "Wojtas", "Wozniak", "Wójcik", "Zając", "Zych", "Źrebak", "Żak", "Żyła",
]  # fmt: skip
GERMAN = [
    "Arndt", "Ärzte", "Goebel", "Goethe", "Götz", "Gross", "Groß", "Grosse", "Muller", "Müller",
    "Mullerin", "Munz", "Ober", "Öztürk", "Straße", "Strauss", "Über", "Uhl",
]  # fmt: skip
VIETNAMESE = [
    "An", "Anh", "Ăn", "Ân", "Bình", "Dung", "Dũng", "Duy", "Đào", "Đặng", "Em", "Hai", "Hài",
    "Hải", "Hãi", "Hái", "Hại", "Lê", "Oanh", "Ông", "Ơn", "Tuấn", "Tư", "Tường", "Vân", "Vũ",
]  # fmt: skip
INDONESIAN = [
    "Abdul Rahman", "Abdullah", "Ahmad Fauzi", "CV Maju 2", "CV Maju 10", "Dewi", "Ma'aruf",
    "Maarufin", "Ni Luh", "Nuraini", "Nur'aini Putri", "PT Astra", "PT. Bumi", "Siti", "Yudi",
]  # fmt: skip
MALAY = [
    "Ahmad bin Ali", "Ahmad bin Zain", "Ahmadi", "Fatimah binti Omar", "Kedai 1", "Kedai 1A",
    "Kedai 02", "Kedai 15", "Nik Aziz", "Nur Ain", "Nurul", "Wan Azizah", "Yusof",
]  # fmt: skip
UKRAINIAN = ["Гнат", "Гя", "Ґалаґан", "Дяк", "Ев", "Єва", "Жук", "Ия", "Іван", "Їжак", "Йосип"]


@pytest.mark.parametrize("names", [POLISH, GERMAN, VIETNAMESE, INDONESIAN, MALAY, UKRAINIAN])
def test_names_sort_as_people_expect(names: list[str]) -> None:
    shuffled = names[:]
    random.Random(7).shuffle(shuffled)
    assert sorted(shuffled, key=lambda name: sort_key(name).encode()) == names


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("Firm 2", "Firm 10"),
        ("Firm 9", "Firm 0010"),
        ("Firm " + "9" * 20, "Firm 1" + "0" * 20),
        ("3M", "Aba"),
        ("Muller", "Müller"),
        ("Müller", "Mullera"),
        ("Al", "Ał"),
        ("Ala Zet", "Alan"),
    ],
)
def test_sort_key_puts_low_before_high(low: str, high: str) -> None:
    assert sort_key(low).encode() < sort_key(high).encode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna NOWAK", "Anna Nowak"),
        ("„Firma” Sp. z o.o.", "Firma sp z o o"),
        ("  Kowalska-Nowak ", "kowalska nowak"),
        ("Łódź", "Ło\u0301dz\u0301"),  # a Mac writes decomposed
        ("***", ""),
    ],
)
def test_sort_key_does_not_see_the_difference(one: str, other: str) -> None:
    assert sort_key(one) == sort_key(other)


def test_sort_key_is_readable() -> None:
    assert sort_key("Łukasz") == "l{ukasz"
    assert sort_key("Müller 12") == "muller 212\t06"


@given(ANY_TEXT)
def test_sort_key_is_bounded_stable_and_fit_for_the_database(text: str) -> None:
    key = sort_key(text)
    assert len(key) <= SORT_KEY_LIMIT
    assert key == sort_key(text)
    assert "\x00" not in key
    key.encode()


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_sort_key_orders_numbers_by_value(one: int, other: int) -> None:
    assert (sort_key(f"a{one}") < sort_key(f"a{other}")) == (one < other)


def test_phone_digits_are_ascii_digits_of_any_script() -> None:
    assert phone_digits("+48 (22) 123-45-67 ext. ٣") == "482212345673"
    assert phone_digits("no number²") == ""


@pytest.mark.parametrize(
    ("q", "useful"),
    [("Łuk", True), ("a.nowak", True), ("604", True), ("łu", False), ("a b c d", False),
     ("a_b", False), ("---", False), ("", False)],
)  # fmt: skip
def test_trigrams_need_three_letters_in_a_row(q: str, useful: bool) -> None:
    assert trigrams_useful(q) is useful
