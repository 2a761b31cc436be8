"""deals' manifest: what runs here."""

from chassis.service import Service
from services.deals import (
    changes,
    consumers,
    consumers_catalogues,
    consumers_life,
    consumers_parties,
    consumers_party_keys,
    consumers_payments,
    consumers_products,
    consumers_requests,
    consumers_sellers,
    consumers_stages,
    erasing,
    following_parties,
    handovers,
    personal_data,
    store,
    timers,
    timers_commissions,
    timers_contracts,
    timers_invoices,
    timers_quotes,
    timers_rates,
    timers_statements,
)
from services.deals.rpc import DealsRpcs
from services.deals.rpc.board import BoardsRpcs
from services.deals.rpc.carriers import CarriersRpcs
from services.deals.rpc.changes import DealChangesRpcs
from services.deals.rpc.commissions import CommissionsRpcs
from services.deals.rpc.contracts import ContractsRpcs
from services.deals.rpc.deliveries import DeliveriesRpcs
from services.deals.rpc.imports import IMPORT_OPERATIONS, DealImportsRpcs, forget_imports
from services.deals.rpc.invoices import InvoicesRpcs
from services.deals.rpc.orders import OrdersRpcs
from services.deals.rpc.payment_providers import PaymentProvidersRpcs
from services.deals.rpc.payments import PaymentsRpcs
from services.deals.rpc.plans import PlansRpcs
from services.deals.rpc.products import ProductsRpcs
from services.deals.rpc.quotes import QuotesRpcs

service = Service(
    name="deals",
    servicers=[
        BoardsRpcs,
        CarriersRpcs,
        CommissionsRpcs,
        ContractsRpcs,
        DealChangesRpcs,
        DealImportsRpcs,
        DealsRpcs,
        DeliveriesRpcs,
        InvoicesRpcs,
        OrdersRpcs,
        PlansRpcs,
        PaymentProvidersRpcs,
        PaymentsRpcs,
        ProductsRpcs,
        QuotesRpcs,
    ],
    consumers=[
        consumers.convert_anew,
        consumers.seed,
        consumers_catalogues.follow,
        consumers_parties.follow,
        consumers_party_keys.follow,
        consumers_products.seed_taxes,
        consumers_products.measure,
        consumers_requests.follow,
        consumers_sellers.follow,
        consumers_stages.drop_emptied,
        consumers_payments.follow,
        consumers_life.follow,
        *handovers.parts.consumers,
        *following_parties.parties.consumers,
        *erasing.erased.consumers,
        *personal_data.handed_out.consumers,
    ],
    timers=[
        timers_commissions.adjust,
        timers_contracts.turn,
        changes.close,
        timers.promise_near,
        timers.promise_missed,
        timers.ask_again,
        timers.show_again,
        *following_parties.parties.timers,
        *erasing.erased.timers,
        timers_quotes.expire,
        timers_rates.fill,
        timers_statements.match,
        timers_statements.rematch,
        timers_invoices.overdue,
    ],
    operations=[
        *IMPORT_OPERATIONS,
        changes.carry_out,
        changes.take_back,
        *handovers.parts.operations,
        *erasing.erased.operations,
        *personal_data.handed_out.operations,
    ],
    metadata=store.metadata,
    nightly=[forget_imports],
)
