"""Signing out and revoking are heard by every process within five seconds, measured at each of them."""

import asyncio
import time

import httpx

from tests.chaos.machine import Machine
from tests.e2e.company import Company, grants, ok

LIMIT_S = 5.0


async def until_refused(faces: list[httpx.AsyncClient]) -> float:
    """Seconds until every process has refused."""
    began = time.monotonic()

    async def refused(face: httpx.AsyncClient) -> None:
        async with asyncio.timeout(2 * LIMIT_S):
            while (await face.get("/v1/contacts")).status_code != 401:
                pass  # asked again at once: the answer is the clock

    async with asyncio.TaskGroup() as group:
        for face in faces:
            group.create_task(refused(face))
    return time.monotonic() - began


async def served(faces: list[httpx.AsyncClient]) -> bool:
    return [(await face.get("/v1/contacts")).status_code for face in faces] == [200, 200]


async def test_signing_out_everywhere_ends_all_sessions_in_all_processes(
    machine: Machine, company: Company
) -> None:
    seller = await company.person(await company.role(grants(("contact", "read", "own"))))
    other = await company.signed_in(seller.email)
    faces = [*await machine.faces(token=seller.token), *await machine.faces(token=other.token)]
    assert await served(faces[:2])
    assert await served(faces[2:])

    ok(await seller.http.post("/v1/auth:logoutEverywhere", json={}))

    assert await until_refused(faces) < LIMIT_S


async def test_a_revoked_token_is_refused_by_all_processes(
    machine: Machine, company: Company
) -> None:
    token = await company.token()
    faces = await machine.faces(token=token["secret"])
    assert await served(faces)

    ok(await company.admin.http.delete(f"/v1/apiTokens/{token['apiToken']['id']}"))

    assert await until_refused(faces) < LIMIT_S


async def test_a_deactivated_user_s_sessions_and_tokens_end_in_all_processes(
    machine: Machine, company: Company
) -> None:
    seller = await company.person(await company.role(grants(("contact", "read", "own"))))
    token = await company.token(ownerId=seller.id)
    faces = [*await machine.faces(token=seller.token), *await machine.faces(token=token["secret"])]
    assert await served(faces[:2])
    assert await served(faces[2:])

    ok(await company.admin.http.post(f"/v1/users/{seller.id}:deactivate", json={}))

    assert await until_refused(faces) < LIMIT_S
