"""The fields of calls that files fill, with the headers by which people call them in English, Polish, Indonesian and Malay."""

from chassis.kit.imports.adapter import Target


def _target(path: str, names: str, **rest: object) -> Target:
    return Target(path, tuple(name.strip() for name in names.split(",")), **rest)  # type: ignore[arg-type]


CALL = [
    _target("direction", "direction, call direction, call type, type, kierunek, typ połączenia, rodzaj połączenia, arah, arah panggilan,"
            " jenis panggilan, jenis"),
    _target("number", "number, phone, phone number, telephone, called number, caller, caller number, numer, telefon, numer telefonu,"
            " nr telefonu, numer klienta, nomor, nomor telepon, telepon, no hp, nombor, nombor telefon, no telefon", kind="phone", by_values=True),
    _target("start", "start, started, start time, date, time, call date, call time, data, początek, rozpoczęcie, data rozmowy,"
            " data połączenia, mulai, waktu, tanggal, tanggal panggilan, mula, masa, tarikh, tarikh panggilan", kind="date", hides="start_time"),
    _target("duration", "duration, talk time, length, seconds, billsec, czas trwania, czas rozmowy, długość, sekundy, durasi, lama,"
            " lama bicara, tempoh, tempoh panggilan", hides="talk_seconds"),
    _target("outcome", "outcome, status, result, disposition, call status, wynik, stan, rezultat, hasil, keadaan, keputusan"),
    _target("agent", "agent, user, owner, extension, internal, employee, answered by, agent name, agent email, pracownik, konsultant, opiekun,"
            " wewnętrzny, numer wewnętrzny, petugas, agen, ekstensi, pegawai, ejen, sambungan", hides="owner_id"),
    _target("note", "note, notes, comment, comments, description, notatka, uwagi, komentarz, opis, catatan, keterangan, komentar, nota,"
            " ulasan"),
    _target("line", "line, our number, did, trunk, tracking number, linia, nasz numer, numer firmowy, saluran, nomor kami, talian,"
            " nombor kami", hides="line_id"),
    _target("external_id", "id, external id, call id, old id, uniqueid, id połączenia, id rozmowy, nr rozmowy, id panggilan",
            hides="external_key"),
]  # fmt: skip
