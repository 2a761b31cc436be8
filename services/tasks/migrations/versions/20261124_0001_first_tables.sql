CREATE TABLE answers (
    tenant_id UUID NOT NULL,
    actor TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, actor, method, request_id)
);
CREATE INDEX ix_answers_expire_time ON answers (expire_time);
GRANT SELECT, INSERT, UPDATE ON answers TO {role};
GRANT SELECT, DELETE ON answers TO {background};
CREATE TABLE inbox (
    tenant_id UUID NOT NULL,
    consumer TEXT NOT NULL,
    event_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (tenant_id, consumer, event_id)
);
CREATE INDEX ix_inbox_at ON inbox USING brin (at);
GRANT SELECT, INSERT ON inbox TO {role};
GRANT SELECT, DELETE ON inbox TO {background};
CREATE TABLE operations (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    actor JSONB NOT NULL,
    request BYTEA NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    done INTEGER DEFAULT '0' NOT NULL,
    total INTEGER DEFAULT '0' NOT NULL,
    position JSONB DEFAULT '{}' NOT NULL,
    result BYTEA,
    error BYTEA,
    cancel BOOLEAN DEFAULT false NOT NULL,
    worker UUID,
    heartbeat TIMESTAMP WITH TIME ZONE,
    create_time TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_operations_open ON operations (create_time) WHERE state IN ('queued', 'running');
GRANT SELECT, INSERT, UPDATE ON operations TO {role};
GRANT SELECT, UPDATE ON operations TO {background};
CREATE TABLE outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    subject TEXT NOT NULL,
    record TEXT DEFAULT '' NOT NULL,
    headers JSONB NOT NULL,
    body TEXT NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000, fillfactor = 100);
GRANT INSERT ON outbox TO {role};
GRANT SELECT, DELETE ON outbox TO {background};
CREATE TABLE timers (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    try_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    payload JSONB DEFAULT '{}' NOT NULL,
    PRIMARY KEY (tenant_id, kind, key)
);
CREATE INDEX ix_timers_try_at ON timers (try_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON timers TO {role};
GRANT SELECT, UPDATE ON timers TO {background};
CREATE TABLE custom_fields (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    resource TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_custom_fields_create_time ON custom_fields (tenant_id, create_time, id);
CREATE INDEX ix_custom_fields_key ON custom_fields (tenant_id, key, id);
CREATE INDEX ix_custom_fields_update_time ON custom_fields (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_custom_fields_key ON custom_fields (tenant_id, resource, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON custom_fields TO {role};
ALTER TABLE custom_fields ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON custom_fields USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW custom_fields_of_tenant AS SELECT * FROM custom_fields WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON custom_fields_of_tenant TO {role};
CREATE TABLE custom_fields_history (
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
CREATE INDEX ix_custom_fields_history_valid ON custom_fields_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON custom_fields_history TO {role};
ALTER TABLE custom_fields_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON custom_fields_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE saved_views (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID NOT NULL,
    resource TEXT NOT NULL,
    label TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_saved_views_create_time ON saved_views (tenant_id, create_time, id);
CREATE INDEX ix_saved_views_label ON saved_views (tenant_id, label, id);
CREATE INDEX ix_saved_views_owner_create_time ON saved_views (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_saved_views_owner_label ON saved_views (tenant_id, owner_id, label, id) INCLUDE (delete_time);
CREATE INDEX ix_saved_views_owner_update_time ON saved_views (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_saved_views_update_time ON saved_views (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_views TO {role};
ALTER TABLE saved_views ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON saved_views USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW saved_views_of_tenant AS SELECT * FROM saved_views WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON saved_views_of_tenant TO {role};
CREATE TABLE saved_views_history (
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
CREATE INDEX ix_saved_views_history_valid ON saved_views_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_views_history TO {role};
ALTER TABLE saved_views_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON saved_views_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE task_types (
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
    kind SMALLINT NOT NULL,
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_task_types_create_time ON task_types (tenant_id, create_time, id);
CREATE INDEX ix_task_types_name_key ON task_types (tenant_id, name_key, id);
CREATE INDEX ix_task_types_name_search ON task_types USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_task_types_name_search_prefix ON task_types (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_task_types_position ON task_types (tenant_id, position, id);
CREATE INDEX ix_task_types_update_time ON task_types (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_task_types_key ON task_types (tenant_id, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON task_types TO {role};
ALTER TABLE task_types ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_types USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_types_of_tenant AS SELECT * FROM task_types WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_types_of_tenant TO {role};
CREATE TABLE task_types_history (
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
CREATE INDEX ix_task_types_history_valid ON task_types_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_types_history TO {role};
ALTER TABLE task_types_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_types_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE tasks (
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
    candidate_ids UUID[] NOT NULL,
    creator_id UUID,
    type_id UUID,
    state SMALLINT NOT NULL,
    priority SMALLINT NOT NULL,
    start_time TIMESTAMP WITH TIME ZONE,
    due_time TIMESTAMP WITH TIME ZONE,
    due_key TIMESTAMP WITH TIME ZONE NOT NULL,
    miss_time TIMESTAMP WITH TIME ZONE,
    end_time TIMESTAMP WITH TIME ZONE,
    contact_id UUID,
    company_id UUID,
    request_id UUID,
    deal_id UUID,
    case_id UUID,
    call_id UUID,
    project_id UUID,
    section TEXT NOT NULL,
    position INTEGER NOT NULL,
    estimated_minutes INTEGER NOT NULL,
    series_id UUID,
    visit_time TIMESTAMP WITH TIME ZONE,
    outcome TEXT NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_tasks_call ON tasks (tenant_id, call_id, id) WHERE call_id IS NOT NULL;
CREATE INDEX ix_tasks_case ON tasks (tenant_id, case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX ix_tasks_company ON tasks (tenant_id, company_id, state, due_key, id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_tasks_contact ON tasks (tenant_id, contact_id, state, due_key, id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_tasks_create_time ON tasks (tenant_id, create_time, id);
CREATE INDEX ix_tasks_custom ON tasks USING gin (custom jsonb_path_ops);
CREATE INDEX ix_tasks_deal ON tasks (tenant_id, deal_id, id) WHERE deal_id IS NOT NULL;
CREATE INDEX ix_tasks_department ON tasks (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_tasks_due_key ON tasks (tenant_id, due_key, id);
CREATE INDEX ix_tasks_followers ON tasks USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_tasks_owner_create_time ON tasks (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_tasks_owner_due_key ON tasks (tenant_id, owner_id, due_key, id) INCLUDE (delete_time);
CREATE INDEX ix_tasks_owner_priority ON tasks (tenant_id, owner_id, priority, id) INCLUDE (delete_time);
CREATE INDEX ix_tasks_owner_state ON tasks (tenant_id, owner_id, state, due_key, id);
CREATE INDEX ix_tasks_owner_update_time ON tasks (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_tasks_priority ON tasks (tenant_id, priority, id);
CREATE INDEX ix_tasks_project ON tasks (tenant_id, project_id, state, due_key, id) WHERE project_id IS NOT NULL;
CREATE INDEX ix_tasks_project_order ON tasks (tenant_id, project_id, position, id) WHERE project_id IS NOT NULL;
CREATE INDEX ix_tasks_request ON tasks (tenant_id, request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX ix_tasks_search ON tasks USING gin (search gin_trgm_ops);
CREATE INDEX ix_tasks_search_prefix ON tasks (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_tasks_series ON tasks (tenant_id, series_id, due_key, id) WHERE series_id IS NOT NULL;
CREATE INDEX ix_tasks_visit ON tasks (tenant_id, owner_id, visit_time) WHERE visit_time IS NOT NULL;
CREATE INDEX ix_tasks_state ON tasks (tenant_id, state, due_key, id);
CREATE INDEX ix_tasks_update_time ON tasks (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON tasks TO {role};
ALTER TABLE tasks ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tasks USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW tasks_of_tenant AS SELECT * FROM tasks WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON tasks_of_tenant TO {role};
CREATE TABLE tasks_history (
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
CREATE INDEX ix_tasks_history_valid ON tasks_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON tasks_history TO {role};
ALTER TABLE tasks_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tasks_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
