"""What the tests of deals share: a tenant with its stubs, its first pipeline and deals."""

from typing import Any

from chassis.testing.installation import Person
from crm.deals.v1 import deal_pb2, pipeline_pb2
from crm.deals.v1.deals_service_pb2_grpc import DealsServiceStub
from services.deals.rules.pipelines import first_pipeline
from tests.service.worlds import BaseWorld

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline

SELLER = [
    *({"object": "deal", "action": a, "scope": "own"} for a in ("read", "update", "move", "assign")),
    {"object": "deal", "action": "create", "scope": "all"},
    {"object": "pipeline", "action": "read", "scope": "all"},
]  # fmt: skip
"""What a salesperson may do with deals."""


class World(BaseWorld):
    service = "deals"
    tables = ("deals_history", "pipelines_history", "timers")

    @property
    def admin(self) -> Any:
        return self.stub(self.tenant.admin)

    def stub(self, person: Person, kind: Any = DealsServiceStub, **metadata: Any) -> Any:
        return person.stub(kind, **metadata)

    async def seller(self, department_id: str = "", **user: Any) -> Person:
        """Somebody who sells."""
        return await self.tenant.person(SELLER, department_id=department_id, **user)

    async def pipeline(self, key: str = "sales", **given: Any) -> Pipeline:
        """The company's pipeline with this key; made as a company's first one is, with these values, if there is none."""
        listed = await self.admin.ListPipelines(
            pipeline_pb2.ListPipelinesRequest(filter=f'key = "{key}"')
        )
        if listed.pipelines:
            return listed.pipelines[0]
        made = first_pipeline()
        made.MergeFrom(Pipeline(key=key, **given))
        return await self.admin.CreatePipeline(pipeline_pb2.CreatePipelineRequest(pipeline=made))

    async def make(self, by: Person | None = None, **given: Any) -> Deal:
        """A new deal with these values, made by the administrator or somebody else."""
        if "pipeline_id" not in given:
            given["pipeline_id"] = (await self.pipeline()).id
        deal = Deal(**{"title": "Six windows", **given})
        return await self.stub(by or self.tenant.admin).CreateDeal(
            deal_pb2.CreateDealRequest(deal=deal)
        )

    async def deal(self, id: str, reader: Person | None = None) -> Deal:
        return await self.stub(reader or self.tenant.admin).GetDeal(deal_pb2.GetDealRequest(id=id))
