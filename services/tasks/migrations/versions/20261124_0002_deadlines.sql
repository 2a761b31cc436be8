CREATE TABLE ladder_runs (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    number INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, task_id, number)
);
CREATE INDEX ix_ladder_runs_running ON ladder_runs (tenant_id, task_id) WHERE state = 1;
GRANT SELECT, INSERT, UPDATE, DELETE ON ladder_runs TO {role};
ALTER TABLE ladder_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ladder_runs USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW ladder_runs_of_tenant AS SELECT * FROM ladder_runs WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON ladder_runs_of_tenant TO {role};
CREATE TABLE ladders (
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
    clock SMALLINT NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_ladders_create_time ON ladders (tenant_id, create_time, id);
CREATE INDEX ix_ladders_name_key ON ladders (tenant_id, name_key, id);
CREATE INDEX ix_ladders_name_search ON ladders USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_ladders_name_search_prefix ON ladders (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_ladders_update_time ON ladders (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ladders TO {role};
ALTER TABLE ladders ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ladders USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW ladders_of_tenant AS SELECT * FROM ladders WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON ladders_of_tenant TO {role};
CREATE TABLE ladders_history (
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
CREATE INDEX ix_ladders_history_valid ON ladders_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON ladders_history TO {role};
ALTER TABLE ladders_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ladders_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE task_requests (
    tenant_id UUID NOT NULL,
    request_id UUID NOT NULL,
    task_id UUID NOT NULL,
    form_id UUID,
    source_id UUID,
    closed BOOLEAN DEFAULT 'false' NOT NULL,
    PRIMARY KEY (tenant_id, request_id)
);
CREATE INDEX ix_task_requests_task ON task_requests (tenant_id, task_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_requests TO {role};
ALTER TABLE task_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_requests USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_requests_of_tenant AS SELECT * FROM task_requests WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_requests_of_tenant TO {role};
CREATE TABLE task_settings (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_task_settings_create_time ON task_settings (tenant_id, create_time, id);
CREATE INDEX ix_task_settings_update_time ON task_settings (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_settings TO {role};
ALTER TABLE task_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_settings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_settings_of_tenant AS SELECT * FROM task_settings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_settings_of_tenant TO {role};
CREATE TABLE task_settings_history (
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
CREATE INDEX ix_task_settings_history_valid ON task_settings_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_settings_history TO {role};
ALTER TABLE task_settings_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_settings_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
