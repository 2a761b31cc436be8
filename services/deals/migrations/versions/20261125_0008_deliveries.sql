CREATE TABLE contracts (
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
    follower_ids UUID[] NOT NULL,
    state SMALLINT NOT NULL,
    currency TEXT NOT NULL,
    value NUMERIC NOT NULL,
    auto_renewal BOOLEAN NOT NULL,
    start_date DATE,
    end_date DATE,
    renewal_date DATE,
    deal_id UUID,
    contact_id UUID,
    company_id UUID,
    previous_id UUID,
    search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_contracts_company ON contracts (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_contracts_contact ON contracts (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_contracts_create_time ON contracts (tenant_id, create_time, id);
CREATE INDEX ix_contracts_deal ON contracts (tenant_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX ix_contracts_department ON contracts (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_contracts_end_date ON contracts (tenant_id, end_date, id);
CREATE INDEX ix_contracts_followers ON contracts USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_contracts_owner_create_time ON contracts (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contracts_owner_end_date ON contracts (tenant_id, owner_id, end_date, id) INCLUDE (delete_time);
CREATE INDEX ix_contracts_owner_renewal_date ON contracts (tenant_id, owner_id, renewal_date, id) INCLUDE (delete_time);
CREATE INDEX ix_contracts_owner_start_date ON contracts (tenant_id, owner_id, start_date, id) INCLUDE (delete_time);
CREATE INDEX ix_contracts_owner_update_time ON contracts (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contracts_owner_value ON contracts (tenant_id, owner_id, value, id) INCLUDE (delete_time);
CREATE INDEX ix_contracts_renewal_date ON contracts (tenant_id, renewal_date, id);
CREATE INDEX ix_contracts_search ON contracts USING gin (search gin_trgm_ops);
CREATE INDEX ix_contracts_search_prefix ON contracts (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_contracts_start_date ON contracts (tenant_id, start_date, id);
CREATE INDEX ix_contracts_update_time ON contracts (tenant_id, update_time, id);
CREATE INDEX ix_contracts_value ON contracts (tenant_id, value, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON contracts TO {role};
ALTER TABLE contracts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contracts USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW contracts_of_tenant AS SELECT * FROM contracts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON contracts_of_tenant TO {role};
CREATE TABLE contracts_history (
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
CREATE INDEX ix_contracts_history_valid ON contracts_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON contracts_history TO {role};
ALTER TABLE contracts_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contracts_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE deliveries (
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
    follower_ids UUID[] NOT NULL,
    state SMALLINT NOT NULL,
    tracking_number TEXT NOT NULL,
    plan_time TIMESTAMP WITH TIME ZONE,
    deal_id UUID,
    contact_id UUID,
    company_id UUID,
    search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_deliveries_company ON deliveries (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_deliveries_contact ON deliveries (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_deliveries_create_time ON deliveries (tenant_id, create_time, id);
CREATE INDEX ix_deliveries_deal ON deliveries (tenant_id, deal_id);
CREATE INDEX ix_deliveries_department ON deliveries (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_deliveries_followers ON deliveries USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_deliveries_owner_create_time ON deliveries (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deliveries_owner_plan_time ON deliveries (tenant_id, owner_id, plan_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deliveries_owner_update_time ON deliveries (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deliveries_plan_time ON deliveries (tenant_id, plan_time, id);
CREATE INDEX ix_deliveries_search ON deliveries USING gin (search gin_trgm_ops);
CREATE INDEX ix_deliveries_search_prefix ON deliveries (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_deliveries_tracking ON deliveries (tenant_id, tracking_number) WHERE tracking_number <> '';
CREATE INDEX ix_deliveries_update_time ON deliveries (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO {role};
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deliveries USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deliveries_of_tenant AS SELECT * FROM deliveries WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deliveries_of_tenant TO {role};
CREATE TABLE deliveries_history (
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
CREATE INDEX ix_deliveries_history_valid ON deliveries_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries_history TO {role};
ALTER TABLE deliveries_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deliveries_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
