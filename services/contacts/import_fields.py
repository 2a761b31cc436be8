"""The fields that files fill, with the headers by which people call them in English, Polish, Indonesian and Malay."""

from collections.abc import Iterable

from chassis.kit.imports.adapter import Target
from crm.common.v1 import common_pb2 as common

_KINDS = {
    common.CUSTOM_FIELD_TYPE_DATE: "date",
    common.CUSTOM_FIELD_TYPE_NUMBER: "number",
    common.CUSTOM_FIELD_TYPE_DECIMAL: "number",
}


def _target(path: str, names: str, **rest: object) -> Target:
    return Target(path, tuple(name.strip() for name in names.split(",")), **rest)  # type: ignore[arg-type]


_PARTY = [
    _target("phones", "phone, phone number, telephone, tel, mobile, mobile phone, cell, phones, contact number, whatsapp, wa,"
            " telefon, nr telefonu, numer telefonu, komórka, tel kom, telefon komórkowy, nr tel,"
            " telepon, nomor telepon, no telepon, no telp, no hp, hp, nomor hp, ponsel, handphone,"
            " nombor telefon, no telefon, no tel, telefon bimbit", kind="phone", repeats=True, by_values=True),
    _target("emails", "email, e-mail, e mail, mail, email address, emails, adres email, adres e-mail, poczta, poczta elektroniczna,"
            " surel, alamat email, surat elektronik, emel, alamat emel", kind="email", repeats=True, by_values=True),
    _target("address.street", "street, address, address line, street address, ulica, adres, ulica i numer, ulica nr,"
            " alamat, jalan, alamat jalan", hides="addresses"),
    _target("address.city", "city, town, miasto, miejscowość, kota, bandar", hides="addresses"),
    _target("address.region", "state, region, province, county, województwo, provinsi, propinsi, negeri, wilayah", hides="addresses"),
    _target("address.postal_code", "postal code, postcode, zip, zip code, post code, kod, kod pocztowy, kode pos, kodepos, poskod",
            hides="addresses"),
    _target("address.country", "country, kraj, państwo, negara", hides="addresses"),
    _target("language", "language, język, bahasa"),
    _target("time_zone", "time zone, timezone, strefa czasowa, zona waktu, zon waktu"),
    _target("preferred_channel", "preferred channel, contact by, preferowany kontakt, saluran, hubungi melalui"),
    _target("lifecycle_stage", "lifecycle stage, stage, status, etap, tahap, peringkat"),
    _target("party_roles", "role, roles, type, rola, typ, peran, peranan, jenis"),
    _target("labels", "label, labels, tag, tags, category, categories, etykieta, etykiety, kategoria, tagi, kategori, penanda",
            repeats=True, hides="label_ids"),
    _target("needs", "need, needs, interest, potrzeba, potrzeby, kebutuhan, keperluan, minat", repeats=True),
    _target("source", "source, lead source, origin, źródło, skąd, sumber, asal", hides="source_id"),
    _target("owner", "owner, responsible, assigned to, manager, opiekun, właściciel, odpowiedzialny, handlowiec,"
            " pemilik, penanggung jawab, sales, pemunya, penanggungjawab", hides="owner_id"),
    _target("external_id", "id, external id, old id, customer number, client number, number, no, kod klienta, numer klienta, nr klienta,"
            " id klienta, nomor pelanggan, id pelanggan, kode pelanggan, nombor pelanggan, kod pelanggan", hides="external_ids"),
    _target("external_ids", "external ids"),
]  # fmt: skip

_TAX = (
    "tax number, tax id, vat, vat number, nip, numer nip, npwp, nomor npwp, nric, nombor cukai, sst"
)
_COMPANY_NAMES = (
    "company, company name, organisation, organization, firm, employer, account, firma, nazwa firmy, przedsiębiorstwo,"
    " perusahaan, nama perusahaan, pt, instansi, syarikat, nama syarikat"
)

CONTACT = [
    _target("given_name", "first name, given name, forename, first names, imię, imiona, imie, nama depan, nama pertama"),
    _target("family_name", "last name, surname, family name, nazwisko, nama belakang, nama keluarga, nama akhir"),
    _target("display_name", "name, full name, contact, contact name, person, customer, customer name, client, imię i nazwisko,"
            " nazwisko i imię, klient, osoba, kontakt, nama, nama lengkap, nama pelanggan, pelanggan, nama penuh"),
    _target("salutation", "salutation, title, mr mrs, zwrot, tytuł, zwrot grzecznościowy, sapaan, panggilan, gelar, gelaran"),
    _target("position", "position, job title, job, function, stanowisko, funkcja, jabatan, posisi, jawatan"),
    _target("birthday", "birthday, date of birth, birth date, born, dob, data urodzenia, urodziny, tanggal lahir, tgl lahir,"
            " tarikh lahir", kind="date"),
    *_PARTY,
    _target("tax_number", "personal tax number, pesel, nik", hides="tax_numbers"),
    _target("company.name", _COMPANY_NAMES, hides="company.name"),
    _target("company.tax_number", f"company tax number, {_TAX}", hides="company.tax_numbers"),
]  # fmt: skip

COMPANY = [
    _target("name", f"name, nazwa, nama, {_COMPANY_NAMES}"),
    _target("legal_name", "legal name, full name, registered name, pełna nazwa, nazwa pełna, nama resmi, nama hukum, nama berdaftar"),
    *_PARTY,
    _target("tax_number", _TAX, hides="tax_numbers"),
    _target("domains", "domain, domains, domena, domeny, domain internet"),
    _target("website", "website, web, www, site, url, homepage, strona, strona www, situs, laman, laman web, tapak web"),
    _target("industry", "industry, trade, sector, branża, sektor, industri, bidang, bidang usaha"),
    _target("employee_count", "employees, employee count, headcount, size, liczba pracowników, zatrudnienie, jumlah karyawan,"
            " bilangan pekerja", kind="number"),
]  # fmt: skip


def with_custom(targets: list[Target], custom: Iterable[common.CustomField]) -> list[Target]:
    """The targets and the tenant's own fields, called by their label or key."""
    own = [
        Target(f"custom.{f.key}", (f.label, f.key), kind=_KINDS.get(f.type, "text")) for f in custom
    ]
    return [*targets, *own]
