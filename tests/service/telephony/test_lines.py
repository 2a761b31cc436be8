"""Lines, extensions, dispositions and exchanges: what they must be, and what is never shown."""

from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from crm.telephony.v1 import connection_pb2 as pb
from crm.telephony.v1 import disposition_pb2, extension_pb2, line_pb2, telephony_settings_pb2
from services.telephony import connection_secrets
from tests.service.telephony.world import Connection, World
from tests.service.worlds import Refused

ARI = {"kind": Connection.KIND_ARI, "address": "http://10.0.0.5:8088", "username": "crm"}


@pytest.mark.parametrize("written", ["+48 300 000 101", "0048300000101", "300000101"])
async def test_a_lines_number_is_kept_in_international_form(world: World, written: str) -> None:
    assert (await world.line(number=written)).number == "+48300000101"


async def test_two_lines_never_have_one_number(world: World) -> None:
    await world.line()
    async with Refused(world, errors.AlreadyExists, "NUMBER_TAKEN", "number"):
        await world.line(name="Doors", number="300 000 101")


async def test_what_is_no_number_is_refused(world: World) -> None:
    async with Refused(world, errors.InvalidArgument, "NOT_A_NUMBER", "number"):
        await world.line(number="12")


@pytest.mark.parametrize("field", ["connection_id", "department_id"])
async def test_a_line_names_only_what_exists(world: World, field: str) -> None:
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", field):
        await world.line(**{field: uuid7()})
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "user_ids[0]"):
        await world.line(user_ids=[uuid7()])


async def test_an_extension_is_unique_within_its_exchange(world: World) -> None:
    first, second = await world.exchange(), await world.exchange(name="Shop")
    agent = await world.agent()
    await world.extension(first.id, user_id=agent.id, mobile_number="600 100 200")
    assert (await world.extension(second.id)).number == "101"
    async with Refused(world, errors.AlreadyExists, "EXTENSION_TAKEN", "number"):
        await world.extension(first.id)


async def test_an_exchange_says_all_that_is_wrong_with_it(world: World) -> None:
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID", "address", "username", "extension_endpoint"
    ):
        await world.exchange(kind=Connection.KIND_AMI, extension_endpoint="PJSIP/agent")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "kind"):
        await world.exchange(kind=Connection.KIND_UNSPECIFIED)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "address"):
        await world.exchange(**{**ARI, "address": "10.0.0.5"})


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("ftp://pbx.example/monitor/", {}), ("https://", {}), ("https://crm:secret@pbx.example/", {}), ("https://pbx.example/?file=", {}),
        ("https://pbx.example/#files", {}), ("https://[pbx/", {}), ("https://pbx.example/monitor/", ARI),
    ],
    ids=["ftp", "nowhere", "a secret", "a query", "a fragment", "unreadable", "no AMI"],
)  # fmt: skip
async def test_files_of_an_exchange_lie_at_a_plain_address(
    world: World, address: str, given: dict[str, Any]
) -> None:
    ami = {"kind": Connection.KIND_AMI, "address": "10.0.0.5:5038", "username": "crm"}
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "recordings_address"):
        await world.exchange(**ami | given, recordings_address=address)
    made = await world.exchange(**ami, recordings_address="http://10.0.0.5/monitor")
    assert made.recordings_address == "http://10.0.0.5/monitor"


async def test_an_exchange_never_changes_its_kind(world: World) -> None:
    made = await world.exchange()
    async with Refused(world, errors.InvalidArgument, "FIXED", "kind"):
        request = pb.UpdateConnectionRequest(connection=Connection(id=made.id, **ARI))
        request.update_mask.paths.append("kind")
        await world.exchanges.UpdateConnection(request)


async def test_a_password_rests_sealed_and_is_told_to_nobody(world: World) -> None:
    made = await world.exchange(**ARI)
    await world.exchanges.SetConnectionPassword(
        pb.SetConnectionPasswordRequest(id=made.id, password="crm-dev-secret")
    )

    rows = await world.running.rows(
        "telephony", "SELECT * FROM connection_secrets WHERE tenant_id = $1", world.tenant.id
    )
    assert b"crm-dev-secret" not in bytes(rows[0]["password"])
    assert not any(
        "crm-dev-secret" in str(event) for event in await world.events("ConnectionUpdated")
    )
    read = await world.system(lambda tx: connection_secrets.password_of(tx, made.id))
    assert read == "crm-dev-secret"


async def test_a_providers_secret_is_renewed(world: World) -> None:
    made = await world.exchange(kind=Connection.KIND_WEBHOOK)
    one = await world.exchanges.RenewConnectionSecret(pb.RenewConnectionSecretRequest(id=made.id))
    two = await world.exchanges.RenewConnectionSecret(pb.RenewConnectionSecretRequest(id=made.id))
    assert one.secret != two.secret
    assert two.secret == await world.system(lambda tx: connection_secrets.current(tx, made.id))
    assert one.path.endswith(made.key)


async def test_a_dispositions_key_never_changes(world: World) -> None:
    made = await world.disposition()
    async with Refused(world, errors.InvalidArgument, "FIXED", "key"):
        request = disposition_pb2.UpdateDispositionRequest(
            disposition=disposition_pb2.Disposition(id=made.id, key="keen")
        )
        request.update_mask.paths.append("key")
        await world.lines.UpdateDisposition(request)
    async with Refused(world, errors.AlreadyExists, "NAME_TAKEN", "name"):
        await world.disposition(key="other")


async def test_every_company_has_settings(world: World) -> None:
    first = await world.lines.GetTelephonySettings(
        telephony_settings_pb2.GetTelephonySettingsRequest()
    )
    assert (first.recording_days, first.wrap_up_seconds) == (365, 30)
    request = telephony_settings_pb2.UpdateTelephonySettingsRequest(
        telephony_settings=telephony_settings_pb2.TelephonySettings(recording_days=90)
    )
    request.update_mask.paths.append("recording_days")
    changed = await world.lines.UpdateTelephonySettings(request)
    assert (changed.recording_days, changed.wrap_up_seconds) == (90, 30)


async def test_lists_filter_by_what_they_name(world: World) -> None:
    exchange = await world.exchange()
    await world.line(connection_id=exchange.id)
    await world.line(name="Doors", number="+48300000102")
    listed = await world.lines.ListLines(
        line_pb2.ListLinesRequest(filter=f'connection_id = "{exchange.id}"')
    )
    assert [line.name for line in listed.lines] == ["Windows"]
    await world.extension(exchange.id)
    listed = await world.lines.ListExtensions(extension_pb2.ListExtensionsRequest(q="10"))
    assert [extension.number for extension in listed.extensions] == ["101"]
