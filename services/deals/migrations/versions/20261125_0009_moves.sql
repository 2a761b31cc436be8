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
