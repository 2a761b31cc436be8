CREATE TABLE erasures (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    contact_id UUID NOT NULL,
    merged_ids UUID[] NOT NULL,
    reason TEXT NOT NULL,
    actor JSONB NOT NULL,
    services TEXT[] NOT NULL,
    hashes TEXT[] NOT NULL,
    found JSONB NOT NULL,
    operation_id UUID NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    erase_time TIMESTAMP WITH TIME ZONE,
    done_time TIMESTAMP WITH TIME ZONE,
    reapply_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_erasures_contact ON erasures (tenant_id, contact_id);
CREATE INDEX ix_erasures_hashes ON erasures USING gin (hashes);
GRANT SELECT, INSERT, UPDATE, DELETE ON erasures TO {role};
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasures USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW erasures_of_tenant AS SELECT * FROM erasures WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON erasures_of_tenant TO {role};
CREATE TABLE erasure_reports (
    tenant_id UUID NOT NULL,
    erasure_id UUID NOT NULL,
    service TEXT NOT NULL,
    places JSONB NOT NULL,
    remains TEXT[] NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, erasure_id, service)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON erasure_reports TO {role};
ALTER TABLE erasure_reports ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasure_reports USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW erasure_reports_of_tenant AS SELECT * FROM erasure_reports WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON erasure_reports_of_tenant TO {role};
CREATE TABLE erased_ids (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    erasure_id UUID NOT NULL,
    object TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_erased_ids_erasure ON erased_ids (tenant_id, erasure_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON erased_ids TO {role};
ALTER TABLE erased_ids ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erased_ids USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW erased_ids_of_tenant AS SELECT * FROM erased_ids WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON erased_ids_of_tenant TO {role};
CREATE TABLE personal_data_files (
    tenant_id UUID NOT NULL,
    export_id UUID NOT NULL,
    service TEXT NOT NULL,
    contact_id UUID NOT NULL,
    file_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, export_id, service)
);
CREATE INDEX ix_personal_data_files_contact ON personal_data_files (tenant_id, contact_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON personal_data_files TO {role};
ALTER TABLE personal_data_files ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON personal_data_files USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW personal_data_files_of_tenant AS SELECT * FROM personal_data_files WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON personal_data_files_of_tenant TO {role};
