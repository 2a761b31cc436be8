CREATE TABLE projects (
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
    start_time TIMESTAMP WITH TIME ZONE,
    due_time TIMESTAMP WITH TIME ZONE,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_projects_create_time ON projects (tenant_id, create_time, id);
CREATE INDEX ix_projects_custom ON projects USING gin (custom jsonb_path_ops);
CREATE INDEX ix_projects_department ON projects (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_projects_followers ON projects USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_projects_name_key ON projects (tenant_id, name_key, id);
CREATE INDEX ix_projects_name_search ON projects USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_projects_name_search_prefix ON projects (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_projects_owner_create_time ON projects (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_projects_owner_name_key ON projects (tenant_id, owner_id, name_key, id) INCLUDE (delete_time);
CREATE INDEX ix_projects_owner_update_time ON projects (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_projects_update_time ON projects (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON projects TO {role};
ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON projects USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW projects_of_tenant AS SELECT * FROM projects WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON projects_of_tenant TO {role};
CREATE TABLE projects_history (
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
CREATE INDEX ix_projects_history_valid ON projects_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON projects_history TO {role};
ALTER TABLE projects_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON projects_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE task_change_items (
    tenant_id UUID NOT NULL,
    change_id UUID NOT NULL,
    number INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, change_id, number)
);
CREATE INDEX ix_task_change_items_state ON task_change_items (tenant_id, change_id, state, number);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_change_items TO {role};
ALTER TABLE task_change_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_change_items USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_change_items_of_tenant AS SELECT * FROM task_change_items WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_change_items_of_tenant TO {role};
CREATE TABLE task_changes (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    state SMALLINT NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_task_changes_create_time ON task_changes (tenant_id, create_time, id);
CREATE INDEX ix_task_changes_owner_create_time ON task_changes (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_task_changes_owner_update_time ON task_changes (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_task_changes_update_time ON task_changes (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_changes TO {role};
ALTER TABLE task_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_changes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_changes_of_tenant AS SELECT * FROM task_changes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_changes_of_tenant TO {role};
CREATE TABLE task_changes_history (
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
CREATE INDEX ix_task_changes_history_valid ON task_changes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_changes_history TO {role};
ALTER TABLE task_changes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_changes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
