CREATE TABLE sales_facts (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    effect TEXT NOT NULL,
    record_time TIMESTAMP WITH TIME ZONE NOT NULL,
    fact_time TIMESTAMP WITH TIME ZONE NOT NULL,
    fact_date DATE NOT NULL,
    kind TEXT NOT NULL,
    reverses_id UUID,
    deal_id UUID,
    pipeline_id UUID,
    owner_id UUID,
    department_id UUID,
    department_ids UUID[] NOT NULL,
    source_id UUID,
    contact_id UUID,
    company_id UUID,
    currency TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    cost NUMERIC NOT NULL,
    base_currency TEXT NOT NULL,
    base_amount NUMERIC,
    base_cost NUMERIC,
    cause TEXT NOT NULL,
    counts BOOLEAN NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_sales_facts_date ON sales_facts (tenant_id, fact_date, owner_id);
CREATE INDEX ix_sales_facts_deal ON sales_facts (tenant_id, deal_id, seq);
CREATE INDEX ix_sales_facts_owner ON sales_facts (tenant_id, owner_id, fact_date);
CREATE INDEX ix_sales_facts_time ON sales_facts (tenant_id, fact_time);
CREATE UNIQUE INDEX uq_sales_facts_effect ON sales_facts (tenant_id, effect);
GRANT SELECT, INSERT, UPDATE, DELETE ON sales_facts TO {role};
ALTER TABLE sales_facts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sales_facts USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW sales_facts_of_tenant AS SELECT * FROM sales_facts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON sales_facts_of_tenant TO {role};
CREATE TABLE currency_rates (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    currency TEXT NOT NULL,
    base_currency TEXT NOT NULL,
    rate_date DATE NOT NULL,
    rate NUMERIC NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_currency_rates_create_time ON currency_rates (tenant_id, create_time, id);
CREATE INDEX ix_currency_rates_rate_date ON currency_rates (tenant_id, rate_date, id);
CREATE INDEX ix_currency_rates_update_time ON currency_rates (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_currency_rates_day ON currency_rates (tenant_id, base_currency, currency, rate_date) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON currency_rates TO {role};
ALTER TABLE currency_rates ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON currency_rates USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW currency_rates_of_tenant AS SELECT * FROM currency_rates WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON currency_rates_of_tenant TO {role};
CREATE TABLE currency_rates_history (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    action TEXT NOT NULL,
    actor JSONB NOT NULL,
    cause JSONB NOT NULL,
    changed TEXT[] NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id, version)
);
CREATE INDEX ix_currency_rates_history_valid ON currency_rates_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON currency_rates_history TO {role};
ALTER TABLE currency_rates_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON currency_rates_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE commission_plans (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_commission_plans_create_time ON commission_plans (tenant_id, create_time, id);
CREATE INDEX ix_commission_plans_name_key ON commission_plans (tenant_id, name_key, id);
CREATE INDEX ix_commission_plans_name_search ON commission_plans USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_commission_plans_name_search_prefix ON commission_plans (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_commission_plans_update_time ON commission_plans (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_commission_plans_name ON commission_plans (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON commission_plans TO {role};
ALTER TABLE commission_plans ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON commission_plans USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW commission_plans_of_tenant AS SELECT * FROM commission_plans WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON commission_plans_of_tenant TO {role};
CREATE TABLE commission_plans_history (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    action TEXT NOT NULL,
    actor JSONB NOT NULL,
    cause JSONB NOT NULL,
    changed TEXT[] NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id, version)
);
CREATE INDEX ix_commission_plans_history_valid ON commission_plans_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON commission_plans_history TO {role};
ALTER TABLE commission_plans_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON commission_plans_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE commissions (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    department_id UUID,
    kind SMALLINT NOT NULL,
    deal_id UUID,
    fact_id UUID NOT NULL,
    plan_id UUID,
    fact_time TIMESTAMP WITH TIME ZONE NOT NULL,
    fact_date DATE NOT NULL,
    currency TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_commissions_create_time ON commissions (tenant_id, create_time, id);
CREATE INDEX ix_commissions_date ON commissions (tenant_id, fact_date, owner_id);
CREATE INDEX ix_commissions_deal ON commissions (tenant_id, deal_id);
CREATE INDEX ix_commissions_department ON commissions (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_commissions_fact ON commissions (tenant_id, fact_id);
CREATE INDEX ix_commissions_fact_time ON commissions (tenant_id, fact_time, id);
CREATE INDEX ix_commissions_owner_create_time ON commissions (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_commissions_owner_fact_time ON commissions (tenant_id, owner_id, fact_time, id) INCLUDE (delete_time);
CREATE INDEX ix_commissions_owner_update_time ON commissions (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_commissions_update_time ON commissions (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON commissions TO {role};
ALTER TABLE commissions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON commissions USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW commissions_of_tenant AS SELECT * FROM commissions WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON commissions_of_tenant TO {role};
CREATE TABLE commissions_history (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    action TEXT NOT NULL,
    actor JSONB NOT NULL,
    cause JSONB NOT NULL,
    changed TEXT[] NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id, version)
);
CREATE INDEX ix_commissions_history_valid ON commissions_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON commissions_history TO {role};
ALTER TABLE commissions_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON commissions_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE sales_plans (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    department_id UUID,
    pipeline_id UUID,
    from_date DATE NOT NULL,
    until_date DATE NOT NULL,
    measure SMALLINT NOT NULL,
    target NUMERIC NOT NULL,
    scope_key TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_sales_plans_create_time ON sales_plans (tenant_id, create_time, id);
CREATE INDEX ix_sales_plans_department ON sales_plans (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_sales_plans_from_date ON sales_plans (tenant_id, from_date, id);
CREATE INDEX ix_sales_plans_name_key ON sales_plans (tenant_id, name_key, id);
CREATE INDEX ix_sales_plans_name_search ON sales_plans USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_sales_plans_name_search_prefix ON sales_plans (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_sales_plans_owner_create_time ON sales_plans (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_sales_plans_owner_from_date ON sales_plans (tenant_id, owner_id, from_date, id) INCLUDE (delete_time);
CREATE INDEX ix_sales_plans_owner_name_key ON sales_plans (tenant_id, owner_id, name_key, id) INCLUDE (delete_time);
CREATE INDEX ix_sales_plans_owner_update_time ON sales_plans (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_sales_plans_time ON sales_plans (tenant_id, until_date, from_date);
CREATE INDEX ix_sales_plans_update_time ON sales_plans (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_sales_plans_scope ON sales_plans (tenant_id, scope_key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON sales_plans TO {role};
ALTER TABLE sales_plans ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sales_plans USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW sales_plans_of_tenant AS SELECT * FROM sales_plans WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON sales_plans_of_tenant TO {role};
CREATE TABLE sales_plans_history (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    action TEXT NOT NULL,
    actor JSONB NOT NULL,
    cause JSONB NOT NULL,
    changed TEXT[] NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id, version)
);
CREATE INDEX ix_sales_plans_history_valid ON sales_plans_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON sales_plans_history TO {role};
ALTER TABLE sales_plans_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sales_plans_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
