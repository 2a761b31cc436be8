"""The fields of tasks that files fill, with the headers by which people call them in English, Polish, Indonesian and Malay."""

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


TASK = [
    _target("subject", "subject, title, task, name, what, temat, tytuł, zadanie, nazwa, co, subjek, judul, tugas, perihal, tajuk, perkara,"
            " nama tugas"),
    _target("type", "type, task type, kind, activity, activity type, typ, rodzaj, typ zadania, rodzaj zadania, jenis, jenis tugas, tipe,"
            " aktivitas, jenis aktiviti", hides="type_id"),
    _target("state", "state, status, stan, keadaan"),
    _target("priority", "priority, importance, priorytet, ważność, prioritas, keutamaan"),
    _target("due", "due, due date, deadline, due time, termin, do kiedy, termin wykonania, tenggat, batas waktu, jatuh tempo, tarikh akhir,"
            " tarikh siap", kind="date", hides="due_time"),
    _target("done_time", "done, done time, done on, completed, completed on, call date, call time, date, data wykonania, wykonano,"
            " zakończono, data rozmowy, data połączenia, selesai pada, tanggal selesai, tanggal panggilan, tarikh selesai, tarikh panggilan",
            kind="date", hides="end_time"),
    _target("outcome", "outcome, result, call result, disposition, wynik, wynik rozmowy, rezultat, hasil, hasil panggilan, keputusan"),
    _target("end_note", "outcome note, result note, call note, notatka z rozmowy, notatka po rozmowie, catatan hasil, catatan panggilan,"
            " catatan keputusan"),
    _target("owner", "owner, assignee, assigned to, responsible, user, agent, caller, opiekun, właściciel, wykonawca, odpowiedzialny,"
            " handlowiec, pracownik, pemilik, penanggung jawab, petugas, pemunya, penanggungjawab, pekerja", hides="owner_id"),
    _target("contact", "contact, contact id, customer, customer id, client, kontakt, klient, id klienta, id kontaktu, pelanggan,"
            " id pelanggan, kontak, id kontak", hides="contact_id"),
    _target("contact.external_id", "customer number, client number, contact external id, nr klienta, numer klienta, kod klienta,"
            " nomor pelanggan, kode pelanggan, nombor pelanggan, kod pelanggan", hides="contact_id"),
    _target("contact.phone", "phone, phone number, telephone, called number, telefon, nr telefonu, numer telefonu, numer, telepon,"
            " nomor telepon, no hp, nomor hp, nombor telefon, no telefon", kind="phone", by_values=True, hides="contact_id"),
    _target("contact.email", "email, e-mail, contact email, customer email, adres email, e-mail klienta, surel, alamat email, emel,"
            " alamat emel", kind="email", by_values=True, hides="contact_id"),
    _target("company", "company, company id, account, firma, id firmy, perusahaan, id perusahaan, syarikat, id syarikat",
            hides="company_id"),
    _target("description", "description, details, notes, note, comment, comments, opis, szczegóły, uwagi, notatka, notatki, komentarz,"
            " deskripsi, keterangan, catatan, penerangan, butiran, nota"),
    _target("estimated_minutes", "estimated minutes, minutes, duration, czas trwania, minuty, durasi, menit, tempoh, minit",
            kind="number"),
    _target("external_id", "id, external id, task id, old id, activity id, call id, id zadania, nr zadania, id tugas, nomor tugas,"
            " id panggilan", hides="external_ids"),
    _target("external_ids", "external ids"),
]  # fmt: skip


def with_custom(targets: list[Target], custom: Iterable[common.CustomField]) -> list[Target]:
    """The targets and the tenant's own fields, called by their label or key."""
    own = [
        Target(f"custom.{f.key}", (f.label, f.key), kind=_KINDS.get(f.type, "text")) for f in custom
    ]
    return [*targets, *own]
