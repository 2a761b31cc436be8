"""What lines, extensions, exchanges and dispositions must be."""

from urllib.parse import urlsplit

from chassis import phones
from chassis.errors import Violation
from crm.telephony.v1 import connection_pb2, disposition_pb2, extension_pb2, line_pb2
from services.telephony import errors

Connection = connection_pb2.Connection
_HOSTS = {Connection.KIND_ARI: ("http://", "https://"), Connection.KIND_WEBHOOK: ("https://",)}

_FIRST = (
    ("interested", "Interested"),
    ("agreed", "Agreed on the next step"),
    ("call_back", "Asked to be called back"),
    ("not_now", "Not now"),
    ("not_interested", "Not interested"),
    ("solved", "Question solved"),
    ("wrong_number", "Wrong number"),
)


def first_dispositions() -> list[disposition_pb2.Disposition]:
    """What a company begins with."""
    return [
        disposition_pb2.Disposition(
            key=key, name=name, position=at, next_step_required=key in ("agreed", "call_back")
        )
        for at, (key, name) in enumerate(_FIRST)
    ]


def normal_number(field: str, text: str, country: str) -> str:
    """The number in international form; NotANumber if no telephone can have it."""
    dialled = phones.parse(text, country)
    if dialled is None or dialled.extension:
        raise errors.NotANumber(field, text, country or "no country")
    return dialled.number


def international(text: str, country: str) -> str:
    """The number as an exchange or a person wrote it, in international form; as it was written where it is none."""
    written = text.strip()
    dialled = phones.parse(written, country)
    if dialled is None and written.isdigit():  # many trunks leave the plus out
        dialled = phones.parse(f"+{written}", country)
    return dialled.number if dialled else written


def check_line(line: line_pb2.Line, country: str) -> None:
    """Brings the number into international form."""
    line.name = line.name.strip()
    line.number = normal_number("number", line.number, country)


def check_extension(extension: extension_pb2.Extension, country: str) -> None:
    """Brings the mobile number into international form."""
    if extension.mobile_number:
        extension.mobile_number = normal_number("mobile_number", extension.mobile_number, country)


def check_connection(connection: Connection, old: Connection | None) -> None:
    """Refuses what cannot be spoken with."""
    connection.name = connection.name.strip()
    if old is not None and connection.kind != old.kind:
        raise errors.Fixed("telephone exchange", "kind", Connection.Kind.Name(old.kind))
    wrong = []
    if connection.kind == Connection.KIND_UNSPECIFIED:
        wrong.append(Violation("kind", "must say how the exchange is spoken with"))
    if connection.kind in (Connection.KIND_ARI, Connection.KIND_AMI):
        wrong += [
            Violation(field, "must be set")
            for field in ("address", "username")
            if not getattr(connection, field)
        ]
    starts = _HOSTS.get(connection.kind)
    if connection.address and starts and not connection.address.startswith(starts):
        wrong.append(Violation("address", f"must begin with {' or '.join(starts)}"))
    if (
        connection.kind == Connection.KIND_AMI
        and connection.address
        and ":" not in connection.address
    ):
        wrong.append(Violation("address", "must be host:port, e.g. 10.0.0.5:5038"))
    if connection.recordings_address and not _gives_files(connection):
        told = "must be an http or https address without user, query and fragment, of an exchange of KIND_AMI"
        wrong.append(Violation("recordings_address", told))
    for field, name in (("extension_endpoint", "{extension}"), ("outside_endpoint", "{number}")):
        pattern = getattr(connection, field)
        if pattern and name not in pattern:
            wrong.append(Violation(field, f"must say where the number goes: {name}"))
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _gives_files(connection: Connection) -> bool:
    try:
        parts = urlsplit(connection.recordings_address)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        return connection.kind == Connection.KIND_AMI and parts.scheme in ("http", "https") and bool(parts.hostname) and plain  # fmt: skip
    except ValueError:
        return False


def check_disposition(
    new: disposition_pb2.Disposition, old: disposition_pb2.Disposition | None
) -> None:
    """The key never changes."""
    new.name = new.name.strip()
    if old is not None and new.key != old.key:
        raise errors.Fixed("disposition", "key", old.key)
