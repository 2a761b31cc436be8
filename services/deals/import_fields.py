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


DEAL = [
    _target("title", "title, deal, deal name, opportunity, opportunity name, name, subject, tytuł, nazwa, szansa, nazwa szansy, temat,"
            " judul, nama, nama transaksi, tajuk, nama urusan"),
    _target("pipeline", "pipeline, lejek, proces sprzedaży, alur, saluran", hides="pipeline_id"),
    _target("stage", "stage, deal stage, sales stage, etap, etap sprzedaży, tahap, tahapan, peringkat", hides="stage_id"),
    _target("state", "state, status, deal status, stan, keadaan"),
    _target("amount", "amount, value, deal value, total, kwota, wartość, wartość szansy, jumlah, nilai, amaun", kind="number"),
    _target("currency", "currency, waluta, mata uang, mata wang"),
    _target("expected_close_date", "expected close date, expected close, close date, planowane zamknięcie, przewidywana data zamknięcia,"
            " perkiraan tanggal tutup, anggaran tarikh tutup", kind="date"),
    _target("created", "created, created on, create date, creation date, data utworzenia, utworzono, tanggal dibuat, tarikh dibuat",
            kind="date", hides="request_time"),
    _target("ended", "closed, closed on, won date, lost date, won time, lost time, end date, data zamknięcia, zamknięto, data wygrania,"
            " data przegrania, tanggal tutup, tarikh tutup", kind="date", hides="ending"),
    _target("reason", "reason, lost reason, loss reason, won reason, powód, powód przegranej, powód wygranej, alasan, alasan kalah, sebab,"
            " sebab kalah", hides="ending"),
    _target("competitor", "competitor, lost to, konkurent, konkurencja, pesaing", hides="ending"),
    _target("end_note", "closing note, lost note, notatka zamknięcia, catatan penutup, nota penutup", hides="ending"),
    _target("promised", "promised, promised on, promised by, promise date, promised delivery, delivery date, obiecane na, obiecany termin,"
            " termin realizacji, data dostawy, dijanjikan, tanggal janji, tanggal pengiriman, tarikh janji, tarikh penghantaran",
            kind="date", hides="promise"),
    _target("promise_text", "promise, what was promised, obietnica, co obiecano, janji", hides="promise"),
    _target("promise_kept", "promise kept, promise kept on, delivered, delivered on, obietnica spełniona, dostarczono, data realizacji,"
            " janji dipenuhi, terkirim, dihantar", kind="date", hides="promise"),
    _target("stage_dates", "stage dates, stage history, daty etapów, historia etapów, tanggal tahap, riwayat tahap, tarikh peringkat,"
            " sejarah peringkat", hides="past_stays"),
    _target("owner", "owner, deal owner, assigned to, responsible, salesperson, seller, opiekun, właściciel, handlowiec, odpowiedzialny,"
            " pemilik, penanggung jawab, pemunya, jurujual", hides="owner_id"),
    _target("labels", "label, labels, tag, tags, category, categories, etykieta, etykiety, kategoria, tagi, kategori, penanda",
            hides="label_ids"),
    _target("source", "source, lead source, deal source, origin, źródło, źródło szansy, skąd, sumber, asal, punca", hides="source_id"),
    _target("contact", "contact, contact id, customer, customer id, client, kontakt, klient, id klienta, id kontaktu, pelanggan,"
            " id pelanggan, kontak, id kontak", hides="contact_id"),
    _target("contact.external_id", "customer number, client number, contact external id, nr klienta, numer klienta, kod klienta,"
            " nomor pelanggan, kode pelanggan, nombor pelanggan, kod pelanggan", hides="contact_id"),
    _target("contact.phone", "phone, phone number, telephone, telefon, nr telefonu, numer telefonu, telepon, nomor telepon, no hp,"
            " nomor hp, nombor telefon, no telefon", kind="phone", by_values=True, hides="contact_id"),
    _target("contact.email", "email, e-mail, contact email, customer email, adres email, e-mail klienta, surel, alamat email, emel,"
            " alamat emel", kind="email", by_values=True, hides="contact_id"),
    _target("company", "company, company id, account, organization, firma, id firmy, organizacja, perusahaan, id perusahaan, syarikat,"
            " id syarikat", hides="company_id"),
    _target("external_id", "id, external id, deal id, opportunity id, old id, nr szansy, id szansy, id transaksi, id urusan",
            hides="external_ids"),
    _target("external_ids", "external ids"),
]  # fmt: skip

PRODUCT = [
    _target("sku", "sku, product number, article number, code, product code, index, symbol, kod, kod produktu, indeks, numer katalogowy,"
            " kode, kode produk, nomor produk, kod barang, nombor produk"),
    _target("name", "name, product, product name, title, nazwa, nazwa produktu, produkt, nama, nama produk, produk, nama barang"),
    _target("description", "description, details, opis, deskripsi, keterangan, penerangan"),
    _target("family", "family, product family, category, group, rodzina, kategoria, grupa, keluarga, kategori, kelompok, kumpulan",
            hides="family_id"),
    _target("unit", "unit, unit of measure, uom, jednostka, jm, j.m., satuan, unit ukuran"),
    _target("tax_class", "tax class, tax, vat, klasa podatku, stawka vat, podatek, kelas pajak, pajak, kelas cukai, cukai",
            hides="tax_class_id"),
    _target("unit_cost", "unit cost, cost, purchase price, koszt, cena zakupu, biaya, harga beli, kos, harga belian", kind="number"),
    _target("cost_currency", "cost currency, waluta kosztu, mata uang biaya, mata wang kos"),
    _target("retired", "retired, inactive, discontinued, wycofany, nieaktywny, tidak aktif, dihentikan", kind="yes_no"),
    _target("external_id", "id, external id, product id, old id, id produktu, id produk", hides="external_ids"),
    _target("external_ids", "external ids"),
]  # fmt: skip


PAYMENT = [
    _target("time", "time, date, paid on, payment date, data, data płatności, data wpłaty, zapłacono, tanggal, tanggal bayar, tarikh,"
            " tarikh bayaran", kind="date"),
    _target("amount", "amount, paid, payment, kwota, wpłata, zapłacona kwota, jumlah, pembayaran, amaun, bayaran", kind="number"),
    _target("currency", "currency, waluta, mata uang, mata wang"),
    _target("way", "way, method, payment method, sposób płatności, forma płatności, cara bayar, metode, kaedah"),
    _target("reference", "reference, description, transfer title, tytuł przelewu, tytuł, opis, keterangan, rujukan"),
    _target("payer_name", "payer, payer name, paid by, płatnik, nadawca, wpłacający, pembayar, nama pembayar"),
    _target("payer_account", "payer account, iban, account, konto nadawcy, rachunek, rekening, akaun"),
    _target("note", "note, notes, comment, uwagi, notatka, catatan, nota"),
    _target("deal", "deal, deal id, opportunity, opportunity id, szansa, nr szansy, id szansy, transaksi, id transaksi, urusan, id urusan",
            hides="deal_id"),
    _target("contact", "contact, contact id, customer, customer id, client, kontakt, klient, id klienta, pelanggan, id pelanggan, kontak",
            hides="contact_id"),
    _target("contact.phone", "phone, telephone, telefon, nr telefonu, telepon, no hp, nombor telefon", kind="phone", by_values=True,
            hides="contact_id"),
    _target("contact.email", "email, e-mail, adres email, surel, emel", kind="email", by_values=True, hides="contact_id"),
    _target("company", "company, company id, account name, firma, id firmy, perusahaan, syarikat", hides="company_id"),
    _target("external_id", "id, external id, payment id, transaction id, old id, id płatności, id transakcji, id pembayaran",
            hides="provider_event_id"),
]  # fmt: skip


PRICE = [
    _target("list_id", "price list id, list id, id cennika, id daftar harga, id senarai harga", hides="id"),
    _target("name", "price list, price list name, list, list name, cennik, nazwa cennika, daftar harga, nama daftar harga, senarai harga,"
            " nama senarai harga"),
    _target("group", "group, price group, grupa, grupa cen, grupa cennika, kelompok, kelompok harga, kumpulan, kumpulan harga"),
    _target("currency", "currency, waluta, mata uang, mata wang"),
    _target("tax_included", "tax included, with tax, gross, brutto, z podatkiem, z vat, termasuk pajak, termasuk cukai", kind="yes_no"),
    _target("from_date", "valid from, from, from date, start date, first day, ważny od, ważna od, obowiązuje od, od, data od, berlaku dari,"
            " berlaku mulai, mulai berlaku, sah dari, tarikh mula", kind="date"),
    _target("until_date", "valid to, valid until, until, to, to date, end date, last day, ważny do, ważna do, obowiązuje do, do, data do,"
            " berlaku sampai, berlaku hingga, sah hingga, tarikh tamat", kind="date"),
    _target("party", "for, for whom, customers, kind of customer, dla kogo, rodzaj klienta, untuk, untuk siapa, jenis pelanggan"),
    _target("labels", "label, labels, tag, tags, etykieta, etykiety, tagi, penanda", hides="label_ids"),
    _target("sku", "sku, product number, article number, product, code, product code, index, symbol, kod, kod produktu, indeks, produkt,"
            " numer katalogowy, kode, kode produk, nomor produk, produk, kod barang, nombor produk", hides="prices"),
    _target("unit_price", "price, unit price, net price, cena, cena jednostkowa, cena netto, harga, harga satuan, harga seunit", kind="number",
            hides="prices"),
    _target("from_quantity", "from quantity, min quantity, minimum quantity, quantity, quantity from, od ilości, ilość od, minimalna ilość,"
            " ilość, jumlah minimum, mulai jumlah, jumlah dari, kuantiti minimum, dari kuantiti", kind="number", hides="prices"),
]  # fmt: skip


def with_custom(targets: list[Target], custom: Iterable[common.CustomField]) -> list[Target]:
    """The targets and the tenant's own fields, called by their label or key."""
    own = [
        Target(f"custom.{f.key}", (f.label, f.key), kind=_KINDS.get(f.type, "text")) for f in custom
    ]
    return [*targets, *own]
