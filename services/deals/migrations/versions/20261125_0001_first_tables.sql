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
CREATE TABLE deal_reasons (
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
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    kind SMALLINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_deal_reasons_create_time ON deal_reasons (tenant_id, create_time, id);
CREATE INDEX ix_deal_reasons_name_key ON deal_reasons (tenant_id, name_key, id);
CREATE INDEX ix_deal_reasons_name_search ON deal_reasons USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_deal_reasons_name_search_prefix ON deal_reasons (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_deal_reasons_position ON deal_reasons (tenant_id, position, id);
CREATE INDEX ix_deal_reasons_update_time ON deal_reasons (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_deal_reasons_name ON deal_reasons (tenant_id, kind, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_reasons TO {role};
ALTER TABLE deal_reasons ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_reasons USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_reasons_of_tenant AS SELECT * FROM deal_reasons WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_reasons_of_tenant TO {role};
CREATE TABLE deal_reasons_history (
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
CREATE INDEX ix_deal_reasons_history_valid ON deal_reasons_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_reasons_history TO {role};
ALTER TABLE deal_reasons_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_reasons_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE deal_settings (
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
CREATE INDEX ix_deal_settings_create_time ON deal_settings (tenant_id, create_time, id);
CREATE INDEX ix_deal_settings_update_time ON deal_settings (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_settings TO {role};
ALTER TABLE deal_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_settings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_settings_of_tenant AS SELECT * FROM deal_settings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_settings_of_tenant TO {role};
CREATE TABLE deal_settings_history (
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
CREATE INDEX ix_deal_settings_history_valid ON deal_settings_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_settings_history TO {role};
ALTER TABLE deal_settings_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_settings_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE deal_stays (
    tenant_id UUID NOT NULL,
    deal_id UUID NOT NULL,
    number INTEGER NOT NULL,
    pipeline_id UUID NOT NULL,
    stage_id UUID NOT NULL,
    owner_id UUID,
    department_id UUID,
    enter_time TIMESTAMP WITH TIME ZONE NOT NULL,
    leave_time TIMESTAMP WITH TIME ZONE,
    user_id UUID,
    skip_reason TEXT NOT NULL,
    PRIMARY KEY (tenant_id, deal_id, number)
);
CREATE INDEX ix_deal_stays_entered ON deal_stays (tenant_id, pipeline_id, enter_time);
CREATE INDEX ix_deal_stays_left ON deal_stays (tenant_id, pipeline_id, leave_time) WHERE leave_time IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_stays TO {role};
ALTER TABLE deal_stays ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_stays USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_stays_of_tenant AS SELECT * FROM deal_stays WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_stays_of_tenant TO {role};
CREATE TABLE deals (
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
    pipeline_id UUID,
    stage_id UUID,
    state SMALLINT NOT NULL,
    contact_id UUID,
    company_id UUID,
    party_ids UUID[] NOT NULL,
    currency TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    base_amount NUMERIC NOT NULL,
    expected_key DATE NOT NULL,
    promise_key TIMESTAMP WITH TIME ZONE NOT NULL,
    source_id UUID,
    method_id UUID,
    request_ids UUID[] NOT NULL,
    label_ids UUID[] NOT NULL,
    probability SMALLINT,
    stage_time TIMESTAMP WITH TIME ZONE NOT NULL,
    activity_time TIMESTAMP WITH TIME ZONE NOT NULL,
    idle_key TIMESTAMP WITH TIME ZONE NOT NULL,
    next_task_key TIMESTAMP WITH TIME ZONE NOT NULL,
    next_task_id UUID,
    end_time TIMESTAMP WITH TIME ZONE,
    reason_id UUID,
    end_stage_id UUID,
    competitor TEXT NOT NULL,
    ask_again_date DATE,
    blocked_stage_id UUID,
    order_key TEXT,
    external_ids TEXT[] NOT NULL,
    search TEXT NOT NULL,
    title_key TEXT NOT NULL,
    search_open TEXT NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_deals_activity_time ON deals (tenant_id, activity_time, id);
CREATE INDEX ix_deals_amount ON deals (tenant_id, amount, id);
CREATE INDEX ix_deals_create_time ON deals (tenant_id, create_time, id);
CREATE INDEX ix_deals_custom ON deals USING gin (custom jsonb_path_ops);
CREATE INDEX ix_deals_department ON deals (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_deals_end ON deals (tenant_id, end_time, id) WHERE end_time IS NOT NULL;
CREATE INDEX ix_deals_expected ON deals (tenant_id, state, expected_key, id);
CREATE INDEX ix_deals_expected_key ON deals (tenant_id, expected_key, id);
CREATE INDEX ix_deals_external_ids ON deals USING gin (external_ids);
CREATE INDEX ix_deals_followers ON deals USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_deals_next_task_key ON deals (tenant_id, next_task_key, id);
CREATE INDEX ix_deals_owner ON deals (tenant_id, owner_id, state, expected_key, id);
CREATE INDEX ix_deals_owner_activity_time ON deals (tenant_id, owner_id, activity_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_amount ON deals (tenant_id, owner_id, amount, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_create_time ON deals (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_expected_key ON deals (tenant_id, owner_id, expected_key, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_next_task_key ON deals (tenant_id, owner_id, next_task_key, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_promise_key ON deals (tenant_id, owner_id, promise_key, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_stage_time ON deals (tenant_id, owner_id, stage_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_title_key ON deals (tenant_id, owner_id, title_key, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_owner_update_time ON deals (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deals_parties ON deals USING gin (party_ids);
CREATE INDEX ix_deals_promise_key ON deals (tenant_id, promise_key, id);
CREATE INDEX ix_deals_requests ON deals USING gin (request_ids);
CREATE INDEX ix_deals_search ON deals USING gin (search gin_trgm_ops);
CREATE INDEX ix_deals_search_prefix ON deals (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_deals_stage ON deals (tenant_id, pipeline_id, stage_id, state, expected_key, id);
CREATE INDEX ix_deals_stage_time ON deals (tenant_id, stage_time, id);
CREATE INDEX ix_deals_title_key ON deals (tenant_id, title_key, id);
CREATE INDEX ix_deals_update_time ON deals (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_deals_order ON deals (tenant_id, order_key) WHERE delete_time IS NULL AND order_key IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON deals TO {role};
ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deals USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deals_of_tenant AS SELECT * FROM deals WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deals_of_tenant TO {role};
CREATE TABLE deals_history (
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
CREATE INDEX ix_deals_history_valid ON deals_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON deals_history TO {role};
ALTER TABLE deals_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deals_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE parties (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    filled TEXT[] NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON parties TO {role};
ALTER TABLE parties ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON parties USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW parties_of_tenant AS SELECT * FROM parties WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON parties_of_tenant TO {role};
CREATE TABLE pipelines (
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
    party SMALLINT NOT NULL,
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_pipelines_create_time ON pipelines (tenant_id, create_time, id);
CREATE INDEX ix_pipelines_name_key ON pipelines (tenant_id, name_key, id);
CREATE INDEX ix_pipelines_name_search ON pipelines USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_pipelines_name_search_prefix ON pipelines (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_pipelines_position ON pipelines (tenant_id, position, id);
CREATE INDEX ix_pipelines_update_time ON pipelines (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_pipelines_key ON pipelines (tenant_id, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON pipelines TO {role};
ALTER TABLE pipelines ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pipelines USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW pipelines_of_tenant AS SELECT * FROM pipelines WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON pipelines_of_tenant TO {role};
CREATE TABLE pipelines_history (
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
CREATE INDEX ix_pipelines_history_valid ON pipelines_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON pipelines_history TO {role};
ALTER TABLE pipelines_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pipelines_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE request_seeds (
    tenant_id UUID NOT NULL,
    request_id UUID NOT NULL,
    version BIGINT NOT NULL,
    contact_id UUID,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, request_id)
);
CREATE INDEX ix_request_seeds_contact ON request_seeds (tenant_id, contact_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON request_seeds TO {role};
ALTER TABLE request_seeds ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON request_seeds USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW request_seeds_of_tenant AS SELECT * FROM request_seeds WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON request_seeds_of_tenant TO {role};
CREATE TABLE sales_methods (
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
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_sales_methods_create_time ON sales_methods (tenant_id, create_time, id);
CREATE INDEX ix_sales_methods_name_key ON sales_methods (tenant_id, name_key, id);
CREATE INDEX ix_sales_methods_name_search ON sales_methods USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_sales_methods_name_search_prefix ON sales_methods (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_sales_methods_position ON sales_methods (tenant_id, position, id);
CREATE INDEX ix_sales_methods_update_time ON sales_methods (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_sales_methods_name ON sales_methods (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON sales_methods TO {role};
ALTER TABLE sales_methods ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sales_methods USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW sales_methods_of_tenant AS SELECT * FROM sales_methods WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON sales_methods_of_tenant TO {role};
CREATE TABLE sales_methods_history (
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
CREATE INDEX ix_sales_methods_history_valid ON sales_methods_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON sales_methods_history TO {role};
ALTER TABLE sales_methods_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sales_methods_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
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
