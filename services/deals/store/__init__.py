"""The service's tables and statements, one module per resource; callers write `store.deals.get(...)`."""

from services.deals.store import board, changes, life, statistics
from services.deals.store.bought import won_deals_of
from services.deals.store.buyers import buyer_of, put_buyer
from services.deals.store.carriers import (
    carrier_signers,
    carriers,
    delivery_told,
    note_delivery_event,
)
from services.deals.store.catalogues import deal_reasons, sales_methods
from services.deals.store.commissions import (
    all_commission_plans,
    commission_plans,
    commissions,
    earned_by_fact,
    sum_commissions,
)
from services.deals.store.contracts import contracts
from services.deals.store.deals import NO_ID, all_deals, deals, unconverted_deals
from services.deals.store.deliveries import deliveries, deliveries_of, deliveries_tracked
from services.deals.store.following import made_for
from services.deals.store.forecast import expected
from services.deals.store.invoices import credit_notes_of, invoices, issued_of_deal, take_number
from services.deals.store.legal_entities import legal_entities
from services.deals.store.measured import measurements_of, put_measurements
from services.deals.store.orders import deal_of_order
from services.deals.store.parties import filled_of, party_reached, put_party
from services.deals.store.payment_providers import (
    note_event,
    open_invoices_numbered,
    payment_providers,
    payment_told,
    payments_referred,
    provider_signers,
)
from services.deals.store.payments import payments, waiting_deals
from services.deals.store.pipelines import living_pipelines, pipeline_with_key, pipelines
from services.deals.store.places import count_open, lock_pipeline, occupied_stages, standing
from services.deals.store.prices import (
    add_prices,
    end_prices,
    overlapping_prices,
    price_lists,
    valid_prices,
)
from services.deals.store.products import (
    product_families,
    product_naming,
    products,
    products_with_skus,
    sku_key,
    tax_class_with_key,
    tax_classes,
)
from services.deals.store.quotes import (
    answer_counts,
    keep_proof,
    next_quote_count,
    open_quotes,
    proof_of,
    quotes,
)
from services.deals.store.rates import currency_rates, known_rates, rate_of_day, rate_on
from services.deals.store.receipts import open_deals, open_instalments, whose
from services.deals.store.requests import deal_of_request, put_seed, seed_of
from services.deals.store.sales_plans import own_plans_beside, plans_on, sales_plans
from services.deals.store.sales_plans import page as plan_facts
from services.deals.store.sales_plans import sums as plan_sums
from services.deals.store.sales_plans import unconverted as plan_unconverted
from services.deals.store.schema import custom_fields, metadata, saved_views
from services.deals.store.settings import settings, settings_of
from services.deals.store.statements import (
    bank_statement_lines,
    bank_statements,
    count_lines,
    doubtful_lines,
    has_unknown_lines,
    known_lines,
    payable,
    payers,
    unlinked_payments,
    waiting_lines,
)
from services.deals.store.stays import add_stay, end_stay, stays_of

__all__ = [
    "NO_ID",
    "add_prices",
    "add_stay",
    "all_commission_plans",
    "all_deals",
    "answer_counts",
    "bank_statement_lines",
    "bank_statements",
    "board",
    "buyer_of",
    "carrier_signers",
    "carriers",
    "changes",
    "commission_plans",
    "commissions",
    "contracts",
    "count_lines",
    "count_open",
    "credit_notes_of",
    "currency_rates",
    "custom_fields",
    "deal_of_order",
    "deal_of_request",
    "deal_reasons",
    "deals",
    "deliveries",
    "deliveries_of",
    "deliveries_tracked",
    "delivery_told",
    "doubtful_lines",
    "earned_by_fact",
    "end_prices",
    "end_stay",
    "expected",
    "filled_of",
    "has_unknown_lines",
    "invoices",
    "issued_of_deal",
    "keep_proof",
    "known_lines",
    "known_rates",
    "legal_entities",
    "life",
    "living_pipelines",
    "lock_pipeline",
    "made_for",
    "measurements_of",
    "metadata",
    "next_quote_count",
    "note_delivery_event",
    "note_event",
    "occupied_stages",
    "open_deals",
    "open_instalments",
    "open_invoices_numbered",
    "open_quotes",
    "overlapping_prices",
    "own_plans_beside",
    "party_reached",
    "payable",
    "payers",
    "payment_providers",
    "payment_told",
    "payments",
    "payments_referred",
    "pipeline_with_key",
    "pipelines",
    "plan_facts",
    "plan_sums",
    "plan_unconverted",
    "plans_on",
    "price_lists",
    "product_families",
    "product_naming",
    "products",
    "products_with_skus",
    "proof_of",
    "provider_signers",
    "put_buyer",
    "put_measurements",
    "put_party",
    "put_seed",
    "quotes",
    "rate_of_day",
    "rate_on",
    "sales_methods",
    "sales_plans",
    "saved_views",
    "seed_of",
    "settings",
    "settings_of",
    "sku_key",
    "standing",
    "statistics",
    "stays_of",
    "sum_commissions",
    "take_number",
    "tax_class_with_key",
    "tax_classes",
    "unconverted_deals",
    "unlinked_payments",
    "valid_prices",
    "waiting_deals",
    "waiting_lines",
    "whose",
    "won_deals_of",
]
