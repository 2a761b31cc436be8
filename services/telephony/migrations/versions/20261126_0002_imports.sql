CREATE TABLE import_keys (
    tenant_id UUID NOT NULL,
    import_id UUID NOT NULL,
    key TEXT NOT NULL,
    record_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, import_id, key)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON import_keys TO {role};
ALTER TABLE import_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON import_keys USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW import_keys_of_tenant AS SELECT * FROM import_keys WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON import_keys_of_tenant TO {role};
CREATE TABLE import_records (
    tenant_id UUID NOT NULL,
    import_id UUID NOT NULL,
    record_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    object TEXT NOT NULL,
    line BIGINT NOT NULL,
    base_version BIGINT NOT NULL,
    doc BYTEA NOT NULL,
    state SMALLINT NOT NULL,
    written_version BIGINT NOT NULL,
    moved_to UUID,
    undo SMALLINT NOT NULL,
    undo_reason TEXT NOT NULL,
    PRIMARY KEY (tenant_id, import_id, record_id)
);
CREATE INDEX ix_import_records_moved ON import_records (tenant_id, import_id) WHERE moved_to IS NOT NULL;
CREATE UNIQUE INDEX uq_import_records_seq ON import_records (tenant_id, import_id, seq) WHERE seq > 0;
GRANT SELECT, INSERT, UPDATE, DELETE ON import_records TO {role};
ALTER TABLE import_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON import_records USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW import_records_of_tenant AS SELECT * FROM import_records WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON import_records_of_tenant TO {role};
CREATE TABLE import_rows (
    tenant_id UUID NOT NULL,
    import_id UUID NOT NULL,
    line BIGINT NOT NULL,
    outcome SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    cells TEXT[] NOT NULL,
    record_id UUID,
    linked_id UUID,
    PRIMARY KEY (tenant_id, import_id, line)
);
CREATE INDEX ix_import_rows_outcome ON import_rows (tenant_id, import_id, outcome, line) WHERE outcome > 0;
GRANT SELECT, INSERT, UPDATE, DELETE ON import_rows TO {role};
ALTER TABLE import_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON import_rows USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW import_rows_of_tenant AS SELECT * FROM import_rows WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON import_rows_of_tenant TO {role};
CREATE TABLE imports (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    resource TEXT NOT NULL,
    state SMALLINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_imports_create_time ON imports (tenant_id, create_time, id);
CREATE INDEX ix_imports_owner_create_time ON imports (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_imports_owner_update_time ON imports (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_imports_update_time ON imports (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON imports TO {role};
ALTER TABLE imports ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON imports USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW imports_of_tenant AS SELECT * FROM imports WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON imports_of_tenant TO {role};
CREATE TABLE imports_history (
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
CREATE INDEX ix_imports_history_valid ON imports_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON imports_history TO {role};
ALTER TABLE imports_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON imports_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
