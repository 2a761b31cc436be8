"""The RPCs of deals, pipelines and their catalogues, by what they are about."""

from chassis.kit.shared_rpcs import OperationRpcs, custom_field_rpcs, saved_view_rpcs
from services.deals import store
from services.deals.rpc.catalogues import DealReasons, SalesMethods
from services.deals.rpc.contact_deals import ContactDeals
from services.deals.rpc.deals import Deals
from services.deals.rpc.ending import Ending
from services.deals.rpc.moving import Moving
from services.deals.rpc.opening import Opening
from services.deals.rpc.pipelines import Pipelines
from services.deals.rpc.settings import Settings


class DealsRpcs(
    Deals, ContactDeals, Moving, Ending, Opening, Pipelines, DealReasons, SalesMethods, Settings,
    custom_field_rpcs(store.custom_fields), saved_view_rpcs(store.saved_views), OperationRpcs,  # type: ignore[misc]
):  # fmt: skip
    """Every RPC of the core's contract; each further piece has a gRPC service of its own."""

    service = "crm.deals.v1.DealsService"
