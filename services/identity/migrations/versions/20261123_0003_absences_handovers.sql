CREATE TABLE absences (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID NOT NULL,
    follower_ids UUID[] NOT NULL,
    delegate_id UUID,
    kind SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    start_time TIMESTAMP WITH TIME ZONE NOT NULL,
    end_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_absences_create_time ON absences (tenant_id, create_time, id);
CREATE INDEX ix_absences_delegate ON absences (tenant_id, delegate_id, state);
CREATE INDEX ix_absences_followers ON absences USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_absences_owner_create_time ON absences (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_absences_owner_start_time ON absences (tenant_id, owner_id, start_time, id) INCLUDE (delete_time);
CREATE INDEX ix_absences_owner_update_time ON absences (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_absences_start_time ON absences (tenant_id, start_time, id);
CREATE INDEX ix_absences_update_time ON absences (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON absences TO {role};
ALTER TABLE absences ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON absences USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW absences_of_tenant AS SELECT * FROM absences WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON absences_of_tenant TO {role};
CREATE TABLE absences_history (
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
CREATE INDEX ix_absences_history_valid ON absences_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON absences_history TO {role};
ALTER TABLE absences_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON absences_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE handovers (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID NOT NULL,
    absence_id UUID,
    kind SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_handovers_absence ON handovers (tenant_id, absence_id);
CREATE INDEX ix_handovers_create_time ON handovers (tenant_id, create_time, id);
CREATE INDEX ix_handovers_owner_create_time ON handovers (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_handovers_owner_update_time ON handovers (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_handovers_update_time ON handovers (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON handovers TO {role};
ALTER TABLE handovers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON handovers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW handovers_of_tenant AS SELECT * FROM handovers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON handovers_of_tenant TO {role};
CREATE TABLE handovers_history (
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
CREATE INDEX ix_handovers_history_valid ON handovers_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON handovers_history TO {role};
ALTER TABLE handovers_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON handovers_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
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
