"""protos/ alone is enough for a stranger (M6): generate a client in an empty folder and work with it."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chassis import asyncapi
from chassis.keys import uuid7
from chassis.testing.installation import Installation, installation
from gateway.schemas import Schemas
from tests.contract.descriptors import ROOT

pytestmark = pytest.mark.large

IMPORT_ALL = """
import importlib, importlib.util, json, pathlib
found = {}
for path in sorted(pathlib.Path().rglob("*_pb2*.py")):
    name = ".".join(path.with_suffix("").parts)
    found[name] = importlib.import_module(name).__file__
print(json.dumps({"modules": found, "chassis": importlib.util.find_spec("chassis") is not None}))
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with what protoc makes of a copy of protos/, google's included."""
    folder = tmp_path_factory.mktemp("stranger")
    shutil.copytree(ROOT / "protos", folder / "protos")
    files = [
        str(path.relative_to(folder / "protos"))
        for path in sorted((folder / "protos").rglob("*.proto"))
    ]
    code = folder / "code"
    code.mkdir()
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-Iprotos",
        f"--python_out={code}",
        f"--grpc_python_out={code}",
    ]
    subprocess.run([*command, *files], cwd=folder, env=clean(), check=True)
    return code


def clean(**more: str) -> dict[str, str]:
    """An environment in which nothing leads to this repository."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **more}


def test_every_generated_module_can_be_imported(generated: Path) -> None:
    (generated / "import_all.py").write_text(IMPORT_ALL)

    done = subprocess.run(
        [sys.executable, "import_all.py"],
        cwd=generated,
        env=clean(),
        check=True,
        capture_output=True,
        text=True,
    )

    seen = json.loads(done.stdout)
    assert seen["chassis"] is False
    assert len(seen["modules"]) >= 2 * len(list((ROOT / "protos").rglob("*.proto")))
    assert [
        name for name, file in seen["modules"].items() if not file.startswith(str(generated))
    ] == []


def unlike_asyncapi(name: str, event: dict[str, Any]) -> list[str]:
    """How a real event differs from what the AsyncAPI document promises."""
    document = asyncapi.document(Schemas(), version="1")
    message = document["components"]["messages"][name.removeprefix("crm.").replace(".v1.", ".")]
    found = []
    for part, value in (("headers", event["headers"]), ("payload", event["body"])):
        schema = {"allOf": [message[part]], "components": document["components"]}
        found += [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(value)]
    return found


@pytest.fixture
async def crm(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.setenv("CRM_SIGNUP", "1")
    async with installation(["identity", "contacts"]) as running:
        yield running


async def token_of_a_new_company(crm: Installation) -> str:
    """The access token of the administrator of a company that has just signed up."""
    from crm.identity.v1 import session_pb2
    from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceStub

    email, password = f"ewa-{uuid7()}@example.com", "kaca-jendela-9"
    stranger = crm.stranger.stub(IdentityServiceStub, **{"crm-peer": f"peer-{uuid7()}"})
    company = session_pb2.NewCompany(
        name="Okna", country="PL", currency="PLN", language="pl", time_zone="Europe/Warsaw"
    )
    administrator = session_pb2.NewAdministrator(email=email, password=password, name="Ewa")
    made = await stranger.SignUp(
        session_pb2.SignUpRequest(company=company, administrator=administrator)
    )
    directory = crm.process.directory
    await directory.until(
        lambda: (
            (view := directory.of(made.tenant.id)).user(made.user.id) is not None
            and all(view.role(id) for id in made.user.role_ids)
            and bool(view.tenant())
        )
    )
    answer = await stranger.Login(session_pb2.LoginRequest(email=email, password=password))
    return str(answer.access_token)


async def test_a_stranger_takes_requests_creates_lists_and_hears_of_it(
    crm: Installation, generated: Path
) -> None:
    shutil.copy(ROOT / "tests" / "contract" / "outside_client.py", generated / "client.py")
    token = await token_of_a_new_company(crm)
    address = f"127.0.0.1:{crm.process.grpc_port}"

    program = await asyncio.create_subprocess_exec(
        sys.executable, "client.py", cwd=generated, env=clean(AKRAB_ADDRESS=address, AKRAB_TOKEN=token),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(90):
        out, err = await program.communicate()

    assert program.returncode == 0, err.decode()
    seen = json.loads(out)
    assert seen["listed"] == [seen["contact"]]
    assert {name: event["headers"]["ce-subject"] for name, event in seen["events"].items()} == {
        "crm.contacts.v1.ContactCreated": seen["contact"],
        "crm.contacts.v1.RequestReceived": seen["request"],
    }
    assert {name: unlike_asyncapi(name, event) for name, event in seen["events"].items()} == {
        name: [] for name in seen["events"]
    }
    assert seen["refused"] == "UNAUTHENTICATED"
    assert seen["chassis"] is False
    assert [
        folder for folder in seen["generated_in"] if not folder.startswith(str(generated))
    ] == []
