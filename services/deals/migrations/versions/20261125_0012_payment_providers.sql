CREATE TABLE payment_provider_events (
    tenant_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    event_id TEXT NOT NULL,
    payment_id UUID NOT NULL,
    reference_hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, provider_id, event_id)
);
CREATE INDEX ix_payment_provider_events_reference ON payment_provider_events (tenant_id, provider_id, reference_hash) WHERE reference_hash <> '';
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_provider_events TO {role};
ALTER TABLE payment_provider_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payment_provider_events USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW payment_provider_events_of_tenant AS SELECT * FROM payment_provider_events WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON payment_provider_events_of_tenant TO {role};
CREATE TABLE payment_provider_seeds (
    tenant_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    seed BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, provider_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_provider_seeds TO {role};
ALTER TABLE payment_provider_seeds ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payment_provider_seeds USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW payment_provider_seeds_of_tenant AS SELECT * FROM payment_provider_seeds WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON payment_provider_seeds_of_tenant TO {role};
CREATE TABLE payment_providers (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    key TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_payment_providers_create_time ON payment_providers (tenant_id, create_time, id);
CREATE INDEX ix_payment_providers_name_key ON payment_providers (tenant_id, name_key, id);
CREATE INDEX ix_payment_providers_name_search ON payment_providers USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_payment_providers_name_search_prefix ON payment_providers (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_payment_providers_update_time ON payment_providers (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_payment_providers_key ON payment_providers (tenant_id, key);
CREATE UNIQUE INDEX uq_payment_providers_name ON payment_providers (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_providers TO {role};
ALTER TABLE payment_providers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payment_providers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW payment_providers_of_tenant AS SELECT * FROM payment_providers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON payment_providers_of_tenant TO {role};
CREATE TABLE payment_providers_history (
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
CREATE INDEX ix_payment_providers_history_valid ON payment_providers_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_providers_history TO {role};
ALTER TABLE payment_providers_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payment_providers_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
