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
CREATE TABLE api_token_hashes (
    tenant_id UUID NOT NULL,
    token_id UUID NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON api_token_hashes TO {role};
ALTER TABLE api_token_hashes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_token_hashes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW api_token_hashes_of_tenant AS SELECT * FROM api_token_hashes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON api_token_hashes_of_tenant TO {role};
CREATE TABLE api_tokens (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_api_tokens_create_time ON api_tokens (tenant_id, create_time, id);
CREATE INDEX ix_api_tokens_name_key ON api_tokens (tenant_id, name_key, id);
CREATE INDEX ix_api_tokens_name_search ON api_tokens USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_api_tokens_name_search_prefix ON api_tokens (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_api_tokens_owner ON api_tokens (tenant_id, owner_id, create_time, id);
CREATE INDEX ix_api_tokens_owner_create_time ON api_tokens (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_api_tokens_owner_name_key ON api_tokens (tenant_id, owner_id, name_key, id) INCLUDE (delete_time);
CREATE INDEX ix_api_tokens_owner_update_time ON api_tokens (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_api_tokens_update_time ON api_tokens (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON api_tokens TO {role};
ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_tokens USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW api_tokens_of_tenant AS SELECT * FROM api_tokens WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON api_tokens_of_tenant TO {role};
CREATE TABLE api_tokens_history (
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
CREATE INDEX ix_api_tokens_history_valid ON api_tokens_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON api_tokens_history TO {role};
ALTER TABLE api_tokens_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_tokens_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE attempts (
    key TEXT NOT NULL,
    failures INTEGER NOT NULL,
    last_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (key)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO {role};
CREATE TABLE companies (
    company_id UUID NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (company_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON companies TO {role};
CREATE TABLE credentials (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    password_hash TEXT NOT NULL,
    change_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON credentials TO {role};
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON credentials USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW credentials_of_tenant AS SELECT * FROM credentials WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON credentials_of_tenant TO {role};
CREATE TABLE departments (
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
    parent_id UUID,
    head_id UUID,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_departments_create_time ON departments (tenant_id, create_time, id);
CREATE INDEX ix_departments_name_key ON departments (tenant_id, name_key, id);
CREATE INDEX ix_departments_name_search ON departments USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_departments_name_search_prefix ON departments (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_departments_parent ON departments (tenant_id, parent_id);
CREATE INDEX ix_departments_update_time ON departments (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON departments TO {role};
ALTER TABLE departments ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON departments USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW departments_of_tenant AS SELECT * FROM departments WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON departments_of_tenant TO {role};
CREATE TABLE departments_history (
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
CREATE INDEX ix_departments_history_valid ON departments_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON departments_history TO {role};
ALTER TABLE departments_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON departments_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE installation (
    "only" BOOLEAN NOT NULL,
    setup_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY ("only")
);
GRANT SELECT, INSERT, UPDATE, DELETE ON installation TO {role};
CREATE TABLE links (
    tenant_id UUID NOT NULL,
    hash BYTEA NOT NULL,
    user_id UUID NOT NULL,
    kind SMALLINT NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX ix_links_user ON links (tenant_id, user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON links TO {role};
ALTER TABLE links ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON links USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW links_of_tenant AS SELECT * FROM links WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON links_of_tenant TO {role};
CREATE TABLE logins (
    email_key TEXT NOT NULL,
    company_id UUID NOT NULL,
    user_id UUID NOT NULL,
    PRIMARY KEY (email_key)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON logins TO {role};
CREATE TABLE roles (
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
    built_in TEXT NOT NULL,
    unique_name TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_roles_create_time ON roles (tenant_id, create_time, id);
CREATE INDEX ix_roles_name_key ON roles (tenant_id, name_key, id);
CREATE INDEX ix_roles_name_search ON roles USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_roles_name_search_prefix ON roles (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_roles_update_time ON roles (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_roles_name ON roles (tenant_id, unique_name);
GRANT SELECT, INSERT, UPDATE, DELETE ON roles TO {role};
ALTER TABLE roles ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON roles USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW roles_of_tenant AS SELECT * FROM roles WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON roles_of_tenant TO {role};
CREATE TABLE roles_history (
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
CREATE INDEX ix_roles_history_valid ON roles_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON roles_history TO {role};
ALTER TABLE roles_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON roles_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE sessions (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    refresh_time TIMESTAMP WITH TIME ZONE NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE NOT NULL,
    revoke_time TIMESTAMP WITH TIME ZONE,
    generation INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    peer TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_sessions_revoked ON sessions (tenant_id, revoke_time);
CREATE INDEX ix_sessions_user ON sessions (tenant_id, user_id, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO {role};
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sessions USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW sessions_of_tenant AS SELECT * FROM sessions WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON sessions_of_tenant TO {role};
CREATE TABLE signing_keys (
    kid TEXT NOT NULL,
    public_pem TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (kid)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON signing_keys TO {role};
CREATE TABLE tenants (
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
CREATE INDEX ix_tenants_create_time ON tenants (tenant_id, create_time, id);
CREATE INDEX ix_tenants_update_time ON tenants (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO {role};
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW tenants_of_tenant AS SELECT * FROM tenants WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON tenants_of_tenant TO {role};
CREATE TABLE tenants_history (
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
CREATE INDEX ix_tenants_history_valid ON tenants_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants_history TO {role};
ALTER TABLE tenants_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE users (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    email_key TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    search TEXT NOT NULL,
    state TEXT NOT NULL,
    department_id UUID,
    role_ids UUID[] NOT NULL,
    extension TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_users_create_time ON users (tenant_id, create_time, id);
CREATE INDEX ix_users_department ON users (tenant_id, department_id, create_time, id);
CREATE INDEX ix_users_email ON users (tenant_id, email_key);
CREATE INDEX ix_users_name_key ON users (tenant_id, name_key, id);
CREATE INDEX ix_users_search ON users USING gin (search gin_trgm_ops);
CREATE INDEX ix_users_search_prefix ON users (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_users_update_time ON users (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO {role};
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON users USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW users_of_tenant AS SELECT * FROM users WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON users_of_tenant TO {role};
CREATE TABLE users_history (
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
CREATE INDEX ix_users_history_valid ON users_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON users_history TO {role};
ALTER TABLE users_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON users_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
