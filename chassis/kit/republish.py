"""`:republish`: the current state of every record as an event again, so that a newcomer can rebuild his copy (M1)."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Uuid, bindparam, func, select

from chassis.db.statement import Statement
from chassis.kit.facts import Republished
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.operation_runs import OperationRun
    from chassis.service import Service

_BATCH = 200


def republishers(service: "Service") -> dict[str, Any]:
    """operation kind -> body, for every resource of the service."""
    tables = service.metadata.tables.values() if service.metadata is not None else ()
    found = [t.info["resource"] for t in tables if "resource" in t.info]
    return {f"republish:{resource.name}": _body(resource) for resource in found}


def _body(resource: "Resource[Any]") -> Any:
    t = resource.view.c
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    page = Statement(
        select(t.id, t.version, t.delete_time, t.doc)
        .where(mine, t.delete_time.is_(None), t.id > bindparam("after", type_=Uuid))
        .order_by(t.id)
        .limit(bindparam("page_limit", type_=BigInteger))
    )
    total = Statement(
        select(func.count()).where(mine, t.delete_time.is_(None)).select_from(resource.view)
    )

    async def republish(run: "OperationRun") -> None:
        """Sends every living record's state, in order of id, from where an earlier try stopped."""
        after = run.position.get("after", "00000000-0000-0000-0000-000000000000")
        done, of = run.position.get("done", 0), await run.write(lambda tx: tx.fetchval(total))

        async def batch(tx: Tx) -> str:
            rows = await tx.fetch(page, after=after, page_limit=_BATCH)
            for row in rows:
                tx.recorded.republished.append(
                    Republished(resource, resource.message.FromString(row["doc"]), row["version"])
                )
            return f"{rows[-1]['id']}|{len(rows)}" if rows else ""

        while told := await run.write(batch):
            after, count = told.split("|")
            done += int(count)
            await run.progress(done, max(of, done), position={"after": after, "done": done})

    return republish
