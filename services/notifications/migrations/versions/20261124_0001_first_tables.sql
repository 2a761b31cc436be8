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
CREATE TABLE deliveries (
    tenant_id UUID NOT NULL,
    notice_id UUID NOT NULL,
    way SMALLINT NOT NULL,
    owner_id UUID NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    due_time TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    problem TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (tenant_id, notice_id, way)
);
CREATE INDEX ix_deliveries_waiting ON deliveries (due_time) WHERE state = 'waiting';
GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO {role};
GRANT SELECT, UPDATE ON deliveries TO {background};
CREATE TABLE gathered_notices (
    tenant_id UUID NOT NULL,
    owner_id UUID NOT NULL,
    digest INTEGER NOT NULL,
    event_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    push BOOLEAN NOT NULL,
    object_id UUID,
    contact_ids UUID[] NOT NULL,
    item BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, owner_id, digest, event_id, rule_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON gathered_notices TO {role};
ALTER TABLE gathered_notices ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON gathered_notices USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW gathered_notices_of_tenant AS SELECT * FROM gathered_notices WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON gathered_notices_of_tenant TO {role};
CREATE TABLE guards (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    object_id UUID NOT NULL,
    version BIGINT NOT NULL,
    owner_id UUID,
    department_id UUID,
    reader_ids UUID[] NOT NULL,
    PRIMARY KEY (tenant_id, object, object_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON guards TO {role};
ALTER TABLE guards ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON guards USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW guards_of_tenant AS SELECT * FROM guards WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON guards_of_tenant TO {role};
CREATE TABLE notice_preferences (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_notice_preferences_create_time ON notice_preferences (tenant_id, create_time, id);
CREATE INDEX ix_notice_preferences_owner_create_time ON notice_preferences (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_notice_preferences_owner_update_time ON notice_preferences (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_notice_preferences_update_time ON notice_preferences (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_preferences TO {role};
ALTER TABLE notice_preferences ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notice_preferences USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW notice_preferences_of_tenant AS SELECT * FROM notice_preferences WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON notice_preferences_of_tenant TO {role};
CREATE TABLE notice_preferences_history (
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
CREATE INDEX ix_notice_preferences_history_valid ON notice_preferences_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_preferences_history TO {role};
ALTER TABLE notice_preferences_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notice_preferences_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE notice_rules (
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
    event_types TEXT[] NOT NULL,
    disabled BOOLEAN NOT NULL,
    built_in BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_notice_rules_create_time ON notice_rules (tenant_id, create_time, id);
CREATE INDEX ix_notice_rules_name_key ON notice_rules (tenant_id, name_key, id);
CREATE INDEX ix_notice_rules_name_search ON notice_rules USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_notice_rules_name_search_prefix ON notice_rules (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_notice_rules_update_time ON notice_rules (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_notice_rules_key ON notice_rules (tenant_id, key);
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_rules TO {role};
ALTER TABLE notice_rules ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notice_rules USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW notice_rules_of_tenant AS SELECT * FROM notice_rules WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON notice_rules_of_tenant TO {role};
CREATE TABLE notice_rules_history (
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
CREATE INDEX ix_notice_rules_history_valid ON notice_rules_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_rules_history TO {role};
ALTER TABLE notice_rules_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notice_rules_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE notices (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    rule_id UUID,
    object_id UUID,
    contact_ids UUID[] NOT NULL,
    item_ids UUID[] NOT NULL,
    in_feed BOOLEAN NOT NULL,
    is_read BOOLEAN NOT NULL,
    is_done BOOLEAN NOT NULL,
    snooze_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_notices_collapse ON notices (tenant_id, owner_id, rule_id, object_id, create_time);
CREATE INDEX ix_notices_contacts ON notices USING gin (contact_ids);
CREATE INDEX ix_notices_create_time ON notices (tenant_id, create_time, id);
CREATE INDEX ix_notices_object ON notices (tenant_id, object_id);
CREATE INDEX ix_notices_owner_create_time ON notices (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_notices_owner_update_time ON notices (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_notices_unread ON notices (tenant_id, owner_id, create_time, id) WHERE NOT is_read;
CREATE INDEX ix_notices_update_time ON notices (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON notices TO {role};
ALTER TABLE notices ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notices USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW notices_of_tenant AS SELECT * FROM notices WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON notices_of_tenant TO {role};
CREATE TABLE notices_history (
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
CREATE INDEX ix_notices_history_valid ON notices_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON notices_history TO {role};
ALTER TABLE notices_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notices_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE visits (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    version BIGINT NOT NULL,
    contact_id UUID,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, task_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON visits TO {role};
ALTER TABLE visits ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON visits USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW visits_of_tenant AS SELECT * FROM visits WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON visits_of_tenant TO {role};
