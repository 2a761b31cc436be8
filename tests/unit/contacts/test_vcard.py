"""vCards in and out."""

from pathlib import Path

import pytest

from crm.contacts.v1 import contact_pb2
from services.contacts import vcard

OLD = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C5=BB=C3=B3=C5=82=C4=87;Jan\r\n"
    "TEL;CELL;PREF:601 234 567\r\nTEL;HOME:22 123 45 67\r\nEMAIL;INTERNET:jan@example.pl\r\nEND:VCARD\r\n"
)
THREE = (
    "BEGIN:VCARD\nVERSION:3.0\nFN:Dewi Lestari\nN:Lestari;Dewi;;Ibu;\nORG:Toko\\, Maju;Sales\nTITLE:Manager\n"
    "item1.TEL;TYPE=CELL:+62 812 3456\n 7890\nADR;TYPE=WORK:;;Jl. Merdeka 1\\nLt. 2;Bandung;Jawa Barat;40111;ID\n"
    "BDAY:19850412\nCATEGORIES:VIP,Toko\nUID:abc-1\nPHOTO;ENCODING=b:AAAA\n BBBB\nEND:VCARD\n"
)


def read(tmp_path: Path, text: str) -> list[dict[str, str]]:
    path = tmp_path / "a.vcf"
    path.write_text(text, encoding="utf-8", newline="")
    headers, *found = vcard.rows(path, "utf-8", companies=False)
    return [{h: c for h, c in zip(headers, row, strict=True) if c} for row in found]


def test_cards_of_older_versions_are_read(tmp_path: Path) -> None:
    old, three = read(tmp_path, OLD + THREE)

    assert old == {
        "family_name": "Żółć", "given_name": "Jan", "phones": "601 234 567; 22 123 45 67", "emails": "jan@example.pl",
    }  # fmt: skip
    assert three == {
        "display_name": "Dewi Lestari", "family_name": "Lestari", "given_name": "Dewi", "salutation": "Ibu",
        "company.name": "Toko, Maju", "position": "Manager", "phones": "+62 812 34567890",
        "address.street": "Jl. Merdeka 1\nLt. 2", "address.city": "Bandung", "address.region": "Jawa Barat",
        "address.postal_code": "40111", "address.country": "ID", "birthday": "1985-04-12", "labels": "VIP; Toko",
        "external_ids": "vcard/abc-1",
    }  # fmt: skip


def test_card_of_ours_says_the_same_again(tmp_path: Path) -> None:
    contact = contact_pb2.Contact(
        id="01a20739-2c1c-7528-a79a-6ec4dc2923b7", given_name="Łukasz", family_name="Żak; syn, 1", display_name="Łukasz Żak; syn, 1",
        position="Kierownik\nzmiany " * 8, company_id="c", label_ids=["l"], language="pl", time_zone="Europe/Warsaw",
    )  # fmt: skip
    contact.phones.add(number="+48601234567", extension="12")
    contact.emails.add(address="l@example.pl")
    contact.birthday.month, contact.birthday.day = 4, 12
    contact.addresses.add(lines=["Długa 1", "m. 2"], city="Łódź", country="PL")

    text = vcard.card(contact, {"companies": {"c": "Okna, Żak"}, "labels": {"l": "VIP, stały"}})
    (found,) = read(tmp_path, text)

    assert text.startswith("BEGIN:VCARD\r\nVERSION:4.0\r\n")
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    assert found == {
        "display_name": "Łukasz Żak; syn, 1", "family_name": "Żak; syn, 1", "given_name": "Łukasz",
        "position": ("Kierownik\nzmiany " * 8).strip(), "company.name": "Okna, Żak", "phones": "+48601234567 ext. 12",
        "emails": "l@example.pl", "birthday": "--04-12", "address.street": "Długa 1\nm. 2", "address.city": "Łódź",
        "address.country": "PL", "language": "pl", "time_zone": "Europe/Warsaw", "labels": "VIP, stały",
        "external_ids": "vcard/urn:uuid:01a20739-2c1c-7528-a79a-6ec4dc2923b7",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "nothing here", "BEGIN:VCARD\nFN:cut off", "END:VCARD\n"])
def test_what_is_no_whole_card_gives_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == []
