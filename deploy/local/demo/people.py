"""Who works for, buys from and writes to the window shop. Deterministic: the same company on every machine."""

import random
from dataclasses import dataclass
from typing import Any

_GIVEN = {
    "pl": [
        "Łukasz",
        "Agnieszka",
        "Michał",
        "Zofia",
        "Paweł",
        "Małgorzata",
        "Grzegorz",
        "Żaneta",
        "Świętosława",
        "Iwona",
    ],
    "id": ["Budi", "Siti", "Dewi", "Agus", "Wayan", "Putri", "Rizky", "Ni Luh", "Bambang", "Sri"],
    "ms": [
        "Nurul",
        "Ahmad",
        "Aisyah",
        "Faizal",
        "Hafiz",
        "Zulaikha",
        "Azman",
        "Siti Nurhaliza",
        "Iskandar",
        "Farah",
    ],
    "en": [
        "Emily",
        "Oliver",
        "Grace",
        "Harry",
        "Charlotte",
        "Jack",
        "Amelia",
        "George",
        "Isla",
        "Thomas",
    ],
}
_FAMILY = {
    "pl": [
        "Wiśniewski",
        "Kowalczyk",
        "Żak",
        "Dąbrowska",
        "Szymański",
        "Woźniak",
        "Łapińska",
        "Mazur",
        "Krawczyk",
        "Zając",
    ],
    "id": [
        "Santoso",
        "Wijaya",
        "Rahayu",
        "Setiawan",
        "Kusuma",
        "Hidayat",
        "Lestari",
        "Nugroho",
        "Saputra",
        "Utami",
    ],
    "ms": [
        "binti Abdullah",
        "bin Ismail",
        "binti Rahman",
        "bin Hassan",
        "bin Omar",
        "binti Yusof",
        "bin Salleh",
        "bin Zainal",
    ],
    "en": [
        "Smith",
        "Taylor",
        "Brown",
        "Wilson",
        "Evans",
        "Thomas",
        "Johnson",
        "Roberts",
        "Walker",
        "Wright",
    ],
}
_CITIES = {
    "pl": [("Warszawa", "00-001"), ("Kraków", "30-001"), ("Łódź", "90-001"), ("Gdańsk", "80-001")],
    "id": [
        ("Jakarta", "10110"),
        ("Surabaya", "60111"),
        ("Denpasar", "80111"),
        ("Bandung", "40111"),
    ],
    "ms": [("Kuala Lumpur", "50000"), ("George Town", "10000"), ("Johor Bahru", "80000")],
    "en": [("London", "N1 9GU"), ("Leeds", "LS1 1UR"), ("Bristol", "BS1 4DJ")],
}
_COUNTRY = {"pl": "PL", "id": "ID", "ms": "MY", "en": "GB"}
_STREETS = [
    "Lipowa",
    "Merdeka",
    "Sunset",
    "Bukit Bintang",
    "Station",
    "Ogrodowa",
    "Kebon Jeruk",
    "Ampang",
]
_TRADES = {
    "pl": ["Budowa", "Deweloper", "Remonty", "Biuro Projektowe"],
    "id": ["Konstruksi", "Properti", "Arsitek", "Bangunan"],
    "ms": ["Pembinaan", "Hartanah", "Reka Bentuk", "Kontraktor"],
    "en": ["Builders", "Homes", "Architects", "Property"],
}
_FORMS = {"pl": "Sp. z o.o.", "id": "PT", "ms": "Sdn Bhd", "en": "Ltd"}


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who works at the window shop."""

    email: str
    name: str
    role: str
    department: str
    title: str


COLLEAGUES = (
    Colleague("ada@demo.example", "Ada Nowak", "Administrator", "Management", "owner of the firm"),
    Colleague(
        "marek@demo.example", "Marek Wiśniewski", "Head of department", "Sales", "head of sales"
    ),
    Colleague(
        "siti@demo.example", "Siti Rahayu", "Salesperson", "Sales", "salesperson, deputy head"
    ),
    Colleague("budi@demo.example", "Budi Santoso", "Salesperson", "Sales", "salesperson"),
    Colleague("lukasz@demo.example", "Łukasz Żak", "Salesperson", "Sales", "salesperson"),
    Colleague(
        "nurul@demo.example",
        "Nurul Izzah binti Ahmad",
        "Head of department",
        "Installation",
        "head of installation",
    ),
    Colleague(
        "agus@demo.example", "Agus Setiawan", "Salesperson", "Installation", "measures and installs"
    ),
    Colleague("emily@demo.example", "Emily Taylor", "Accountant", "Accounting", "accountant"),
)
# department -> (the one above, head, deputy)
DEPARTMENTS = {
    "Management": ("", "ada@demo.example", ""),
    "Sales": ("Management", "marek@demo.example", "siti@demo.example"),
    "Installation": ("Management", "nurul@demo.example", "agus@demo.example"),
    "Accounting": ("Management", "emily@demo.example", ""),
}
NEEDS = {
    "windows": "Windows",
    "doors": "Doors",
    "blinds": "Blinds",
    "installation": "Installation",
    "repair": "Repair",
}
LABELS = {"VIP": "#b8860b", "Builder": "#1f6feb", "Asked twice": "#d1242f", "Newsletter": "#2da44e"}


def phone(chance: random.Random, language: str) -> str:
    """A mobile number of the country, in E.164."""
    digits = "".join(str(chance.randrange(10)) for _ in range(7))
    return {"pl": "+4860", "id": "+62812", "ms": "+6012", "en": "+447700"}[language] + digits[
        : 6 if language == "en" else 7
    ]


def address(chance: random.Random, language: str) -> dict[str, Any]:
    """A postal address there."""
    city, code = chance.choice(_CITIES[language])
    street = f"{chance.choice(_STREETS)} {chance.randrange(1, 120)}"
    return {"lines": [street], "city": city, "postalCode": code, "country": _COUNTRY[language]}


def contacts(count: int) -> list[dict[str, Any]]:
    """Persons as the API takes them, without references."""
    chance, found = random.Random(7), []
    for number in range(count):
        language = chance.choice(("pl", "id", "ms", "en"))
        given, family = chance.choice(_GIVEN[language]), chance.choice(_FAMILY[language])
        person: dict[str, Any] = {
            "givenName": given,
            "familyName": family,
            "phones": [{"number": phone(chance, language), "kind": "KIND_MOBILE"}],
            "emails": [{"address": f"customer{number}@example.com", "kind": "KIND_PERSONAL"}],
            "addresses": [{**address(chance, language), "kind": "KIND_SITE"}],
            "language": language,
        }
        if chance.random() < 0.6:
            person["birthday"] = {
                "year": chance.randrange(1950, 2004),
                "month": chance.randrange(1, 13),
                "day": chance.randrange(1, 29),
            }
        found.append(person)
    return found


def companies(count: int) -> list[dict[str, Any]]:
    """Companies as the API takes them, without references."""
    chance, found = random.Random(11), []
    for number in range(count):
        language = chance.choice(("pl", "id", "ms", "en"))
        name = f"{chance.choice(_FAMILY[language]).split()[-1]} {chance.choice(_TRADES[language])}"
        found.append(
            {
                "name": name if language != "id" else f"PT {name}",
                "legalName": f"{name} {_FORMS[language]}" if language != "id" else f"PT {name}",
                "phones": [{"number": phone(chance, language), "kind": "KIND_WORK"}],
                "emails": [{"address": f"office{number}@example.com", "kind": "KIND_WORK"}],
                "addresses": [{**address(chance, language), "kind": "KIND_BILLING"}],
                "industry": chance.choice(
                    ("construction", "real estate", "architecture", "retail")
                ),
                "language": language,
            }
        )
    return found


def visitor(chance: random.Random) -> tuple[str, str]:
    """(name, phone) of somebody who fills in the form."""
    language = chance.choice(("pl", "id", "ms", "en"))
    name = f"{chance.choice(_GIVEN[language])} {chance.choice(_FAMILY[language])}"
    return name, phone(chance, language)
