CREATE TABLE carrier_events (
    tenant_id UUID NOT NULL,
    carrier_id UUID NOT NULL,
    event_id TEXT NOT NULL,
    delivery_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, carrier_id, event_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON carrier_events TO {role};
ALTER TABLE carrier_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON carrier_events USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW carrier_events_of_tenant AS SELECT * FROM carrier_events WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON carrier_events_of_tenant TO {role};
CREATE TABLE carrier_seeds (
    tenant_id UUID NOT NULL,
    carrier_id UUID NOT NULL,
    seed BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, carrier_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON carrier_seeds TO {role};
ALTER TABLE carrier_seeds ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON carrier_seeds USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW carrier_seeds_of_tenant AS SELECT * FROM carrier_seeds WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON carrier_seeds_of_tenant TO {role};
CREATE TABLE carriers (
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
CREATE INDEX ix_carriers_create_time ON carriers (tenant_id, create_time, id);
CREATE INDEX ix_carriers_name_key ON carriers (tenant_id, name_key, id);
CREATE INDEX ix_carriers_name_search ON carriers USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_carriers_name_search_prefix ON carriers (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_carriers_update_time ON carriers (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_carriers_key ON carriers (tenant_id, key);
CREATE UNIQUE INDEX uq_carriers_name ON carriers (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON carriers TO {role};
ALTER TABLE carriers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON carriers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW carriers_of_tenant AS SELECT * FROM carriers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON carriers_of_tenant TO {role};
CREATE TABLE carriers_history (
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
CREATE INDEX ix_carriers_history_valid ON carriers_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON carriers_history TO {role};
ALTER TABLE carriers_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON carriers_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE catalogue_names (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (tenant_id, object, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON catalogue_names TO {role};
ALTER TABLE catalogue_names ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON catalogue_names USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW catalogue_names_of_tenant AS SELECT * FROM catalogue_names WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON catalogue_names_of_tenant TO {role};
