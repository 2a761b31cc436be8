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
CREATE TABLE call_keys (
    tenant_id UUID NOT NULL,
    connection_id UUID NOT NULL,
    key TEXT NOT NULL,
    call_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, key)
);
CREATE INDEX ix_call_keys_call ON call_keys (tenant_id, call_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON call_keys TO {role};
ALTER TABLE call_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON call_keys USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW call_keys_of_tenant AS SELECT * FROM call_keys WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON call_keys_of_tenant TO {role};
CREATE TABLE call_legs (
    tenant_id UUID NOT NULL,
    call_id UUID NOT NULL,
    leg_id TEXT NOT NULL,
    known JSONB NOT NULL,
    PRIMARY KEY (tenant_id, call_id, leg_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON call_legs TO {role};
ALTER TABLE call_legs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON call_legs USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW call_legs_of_tenant AS SELECT * FROM call_legs WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON call_legs_of_tenant TO {role};
CREATE TABLE calls (
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
    direction SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    outcome SMALLINT NOT NULL,
    missed_state SMALLINT NOT NULL,
    missed_reason SMALLINT NOT NULL,
    number TEXT NOT NULL,
    purpose SMALLINT NOT NULL,
    line_id UUID,
    connection_id UUID,
    contact_id UUID,
    company_id UUID,
    deal_id UUID,
    task_id UUID,
    disposition_id UUID,
    spell_id UUID,
    start_time TIMESTAMP WITH TIME ZONE NOT NULL,
    answer_time TIMESTAMP WITH TIME ZONE,
    end_time TIMESTAMP WITH TIME ZONE,
    missed_end_time TIMESTAMP WITH TIME ZONE,
    talk_seconds INTEGER NOT NULL,
    wrap_up_seconds INTEGER NOT NULL,
    imported BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_calls_company ON calls (tenant_id, company_id, start_time) WHERE company_id IS NOT NULL;
CREATE INDEX ix_calls_contact ON calls (tenant_id, contact_id, start_time) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_calls_create_time ON calls (tenant_id, create_time, id);
CREATE INDEX ix_calls_deal ON calls (tenant_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX ix_calls_department ON calls (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_calls_followers ON calls USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_calls_live ON calls (tenant_id, connection_id) WHERE state <> 4 AND delete_time IS NULL;
CREATE INDEX ix_calls_number ON calls USING gin (number gin_trgm_ops);
CREATE INDEX ix_calls_number_prefix ON calls (tenant_id, left(number, 64) text_pattern_ops);
CREATE INDEX ix_calls_number_start ON calls (tenant_id, number, start_time);
CREATE INDEX ix_calls_open_missed ON calls (tenant_id, number) WHERE missed_state = 1;
CREATE INDEX ix_calls_owner_create_time ON calls (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_calls_owner_start_time ON calls (tenant_id, owner_id, start_time, id) INCLUDE (delete_time);
CREATE INDEX ix_calls_owner_update_time ON calls (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_calls_spell ON calls (tenant_id, spell_id) WHERE spell_id IS NOT NULL;
CREATE INDEX ix_calls_start_time ON calls (tenant_id, start_time, id);
CREATE INDEX ix_calls_update_time ON calls (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON calls TO {role};
ALTER TABLE calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON calls USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW calls_of_tenant AS SELECT * FROM calls WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON calls_of_tenant TO {role};
CREATE TABLE calls_history (
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
CREATE INDEX ix_calls_history_valid ON calls_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON calls_history TO {role};
ALTER TABLE calls_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON calls_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE connection_secrets (
    tenant_id UUID NOT NULL,
    connection_id UUID NOT NULL,
    seed BYTEA NOT NULL,
    password BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, connection_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON connection_secrets TO {role};
ALTER TABLE connection_secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON connection_secrets USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW connection_secrets_of_tenant AS SELECT * FROM connection_secrets WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON connection_secrets_of_tenant TO {role};
CREATE TABLE connection_status (
    tenant_id UUID NOT NULL,
    connection_id UUID NOT NULL,
    connected BOOLEAN NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (tenant_id, connection_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON connection_status TO {role};
ALTER TABLE connection_status ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON connection_status USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW connection_status_of_tenant AS SELECT * FROM connection_status WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON connection_status_of_tenant TO {role};
CREATE TABLE connections (
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
    kind SMALLINT NOT NULL,
    key TEXT NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_connections_create_time ON connections (tenant_id, create_time, id);
CREATE INDEX ix_connections_name_key ON connections (tenant_id, name_key, id);
CREATE INDEX ix_connections_name_search ON connections USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_connections_name_search_prefix ON connections (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_connections_update_time ON connections (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_connections_key ON connections (tenant_id, key);
CREATE UNIQUE INDEX uq_connections_name ON connections (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON connections TO {role};
ALTER TABLE connections ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON connections USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW connections_of_tenant AS SELECT * FROM connections WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON connections_of_tenant TO {role};
CREATE TABLE connections_history (
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
CREATE INDEX ix_connections_history_valid ON connections_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON connections_history TO {role};
ALTER TABLE connections_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON connections_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE dispositions (
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
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_dispositions_create_time ON dispositions (tenant_id, create_time, id);
CREATE INDEX ix_dispositions_name_key ON dispositions (tenant_id, name_key, id);
CREATE INDEX ix_dispositions_name_search ON dispositions USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_dispositions_name_search_prefix ON dispositions (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_dispositions_position ON dispositions (tenant_id, position, id);
CREATE INDEX ix_dispositions_update_time ON dispositions (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_dispositions_key ON dispositions (tenant_id, key) WHERE delete_time IS NULL;
CREATE UNIQUE INDEX uq_dispositions_name ON dispositions (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON dispositions TO {role};
ALTER TABLE dispositions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON dispositions USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW dispositions_of_tenant AS SELECT * FROM dispositions WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON dispositions_of_tenant TO {role};
CREATE TABLE dispositions_history (
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
CREATE INDEX ix_dispositions_history_valid ON dispositions_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON dispositions_history TO {role};
ALTER TABLE dispositions_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON dispositions_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE exchange_commands (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    connection_id UUID NOT NULL,
    body JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_exchange_commands_connection ON exchange_commands (connection_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON exchange_commands TO {role};
GRANT SELECT, DELETE ON exchange_commands TO {background};
CREATE TABLE exchange_leases (
    tenant_id UUID NOT NULL,
    connection_id UUID NOT NULL,
    stamp TEXT NOT NULL,
    owner TEXT DEFAULT '' NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE DEFAULT '-infinity' NOT NULL,
    PRIMARY KEY (tenant_id, connection_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON exchange_leases TO {role};
GRANT SELECT, UPDATE ON exchange_leases TO {background};
CREATE TABLE extensions (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    number TEXT NOT NULL,
    connection_id UUID NOT NULL,
    user_id UUID,
    search TEXT NOT NULL,
    from_profile BOOLEAN NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_extensions_create_time ON extensions (tenant_id, create_time, id);
CREATE INDEX ix_extensions_number ON extensions (tenant_id, number, id);
CREATE INDEX ix_extensions_search ON extensions USING gin (search gin_trgm_ops);
CREATE INDEX ix_extensions_search_prefix ON extensions (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_extensions_update_time ON extensions (tenant_id, update_time, id);
CREATE INDEX ix_extensions_user ON extensions (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX uq_extensions_number ON extensions (tenant_id, connection_id, number) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON extensions TO {role};
ALTER TABLE extensions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON extensions USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW extensions_of_tenant AS SELECT * FROM extensions WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON extensions_of_tenant TO {role};
CREATE TABLE extensions_history (
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
CREATE INDEX ix_extensions_history_valid ON extensions_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON extensions_history TO {role};
ALTER TABLE extensions_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON extensions_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE handover_moves (
    tenant_id UUID NOT NULL,
    handover_id UUID NOT NULL,
    object TEXT NOT NULL,
    record_id UUID NOT NULL,
    field TEXT NOT NULL,
    from_user_id UUID NOT NULL,
    to_user_id UUID,
    position INTEGER NOT NULL,
    version BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    reason SMALLINT NOT NULL,
    PRIMARY KEY (tenant_id, handover_id, object, record_id, field)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON handover_moves TO {role};
ALTER TABLE handover_moves ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON handover_moves USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW handover_moves_of_tenant AS SELECT * FROM handover_moves WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON handover_moves_of_tenant TO {role};
CREATE TABLE handover_stages (
    tenant_id UUID NOT NULL,
    handover_id UUID NOT NULL,
    stage TEXT NOT NULL,
    round INTEGER NOT NULL,
    place JSONB NOT NULL,
    PRIMARY KEY (tenant_id, handover_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON handover_stages TO {role};
ALTER TABLE handover_stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON handover_stages USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW handover_stages_of_tenant AS SELECT * FROM handover_stages WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON handover_stages_of_tenant TO {role};
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
CREATE TABLE lines (
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
    number TEXT NOT NULL,
    connection_id UUID,
    department_id UUID,
    user_ids UUID[] NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_lines_create_time ON lines (tenant_id, create_time, id);
CREATE INDEX ix_lines_department ON lines (tenant_id, department_id, create_time, id);
CREATE INDEX ix_lines_name_key ON lines (tenant_id, name_key, id);
CREATE INDEX ix_lines_name_search ON lines USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_lines_name_search_prefix ON lines (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_lines_update_time ON lines (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_lines_number ON lines (tenant_id, number) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON lines TO {role};
ALTER TABLE lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON lines USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW lines_of_tenant AS SELECT * FROM lines WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON lines_of_tenant TO {role};
CREATE TABLE lines_history (
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
CREATE INDEX ix_lines_history_valid ON lines_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON lines_history TO {role};
ALTER TABLE lines_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON lines_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE listenings (
    tenant_id UUID NOT NULL,
    recording_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, recording_id, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON listenings TO {role};
ALTER TABLE listenings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON listenings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW listenings_of_tenant AS SELECT * FROM listenings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON listenings_of_tenant TO {role};
CREATE TABLE merge_moves (
    tenant_id UUID NOT NULL,
    merge_id UUID NOT NULL,
    object TEXT NOT NULL,
    record_id UUID NOT NULL,
    before BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, merge_id, object, record_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON merge_moves TO {role};
ALTER TABLE merge_moves ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON merge_moves USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW merge_moves_of_tenant AS SELECT * FROM merge_moves WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON merge_moves_of_tenant TO {role};
CREATE TABLE merged_parties (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    id UUID NOT NULL,
    survivor_id UUID NOT NULL,
    merge_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, object, id)
);
CREATE INDEX ix_merged_parties_merge ON merged_parties (tenant_id, merge_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON merged_parties TO {role};
ALTER TABLE merged_parties ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON merged_parties USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW merged_parties_of_tenant AS SELECT * FROM merged_parties WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON merged_parties_of_tenant TO {role};
CREATE TABLE number_parties (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    owner_id UUID,
    department_id UUID,
    follower_ids UUID[] NOT NULL,
    last_call_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, kind, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON number_parties TO {role};
ALTER TABLE number_parties ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON number_parties USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW number_parties_of_tenant AS SELECT * FROM number_parties WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON number_parties_of_tenant TO {role};
CREATE TABLE numbers (
    tenant_id UUID NOT NULL,
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    id UUID NOT NULL,
    PRIMARY KEY (tenant_id, number, kind, id)
);
CREATE INDEX ix_numbers_party ON numbers (tenant_id, kind, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON numbers TO {role};
ALTER TABLE numbers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON numbers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW numbers_of_tenant AS SELECT * FROM numbers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON numbers_of_tenant TO {role};
CREATE TABLE open_matters (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    contact_id UUID,
    company_id UUID,
    PRIMARY KEY (tenant_id, kind, id)
);
CREATE INDEX ix_open_matters_company ON open_matters (tenant_id, company_id, kind, state) WHERE company_id IS NOT NULL AND state <> '';
CREATE INDEX ix_open_matters_contact ON open_matters (tenant_id, contact_id, kind, state) WHERE contact_id IS NOT NULL AND state <> '';
GRANT SELECT, INSERT, UPDATE, DELETE ON open_matters TO {role};
ALTER TABLE open_matters ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON open_matters USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW open_matters_of_tenant AS SELECT * FROM open_matters WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON open_matters_of_tenant TO {role};
CREATE TABLE phone_presences (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    do_not_disturb BOOLEAN NOT NULL,
    until TIMESTAMP WITH TIME ZONE,
    call_id UUID,
    speaking BOOLEAN NOT NULL,
    wrap_up_until TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, user_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON phone_presences TO {role};
ALTER TABLE phone_presences ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON phone_presences USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW phone_presences_of_tenant AS SELECT * FROM phone_presences WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON phone_presences_of_tenant TO {role};
CREATE TABLE recording_fetches (
    tenant_id UUID NOT NULL,
    recording_id UUID NOT NULL,
    connection_id UUID NOT NULL,
    name TEXT NOT NULL,
    due_time TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, recording_id)
);
CREATE INDEX ix_recording_fetches_due ON recording_fetches (due_time);
GRANT SELECT, INSERT, UPDATE, DELETE ON recording_fetches TO {role};
GRANT SELECT, UPDATE ON recording_fetches TO {background};
CREATE TABLE recordings (
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
    call_id UUID,
    contact_id UUID,
    company_id UUID,
    state SMALLINT NOT NULL,
    seconds INTEGER NOT NULL,
    start_time TIMESTAMP WITH TIME ZONE NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE,
    held BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_recordings_call ON recordings (tenant_id, call_id);
CREATE INDEX ix_recordings_company ON recordings (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_recordings_contact ON recordings (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_recordings_create_time ON recordings (tenant_id, create_time, id);
CREATE INDEX ix_recordings_department ON recordings (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_recordings_followers ON recordings USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_recordings_owner_create_time ON recordings (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_recordings_owner_start_time ON recordings (tenant_id, owner_id, start_time, id) INCLUDE (delete_time);
CREATE INDEX ix_recordings_owner_update_time ON recordings (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_recordings_start_time ON recordings (tenant_id, start_time, id);
CREATE INDEX ix_recordings_update_time ON recordings (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON recordings TO {role};
ALTER TABLE recordings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON recordings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW recordings_of_tenant AS SELECT * FROM recordings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON recordings_of_tenant TO {role};
CREATE TABLE recordings_history (
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
CREATE INDEX ix_recordings_history_valid ON recordings_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON recordings_history TO {role};
ALTER TABLE recordings_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON recordings_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE telephony_settings (
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
CREATE INDEX ix_telephony_settings_create_time ON telephony_settings (tenant_id, create_time, id);
CREATE INDEX ix_telephony_settings_update_time ON telephony_settings (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON telephony_settings TO {role};
ALTER TABLE telephony_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON telephony_settings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW telephony_settings_of_tenant AS SELECT * FROM telephony_settings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON telephony_settings_of_tenant TO {role};
CREATE TABLE telephony_settings_history (
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
CREATE INDEX ix_telephony_settings_history_valid ON telephony_settings_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON telephony_settings_history TO {role};
ALTER TABLE telephony_settings_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON telephony_settings_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
