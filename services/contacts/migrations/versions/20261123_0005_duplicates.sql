CREATE TABLE displaced_references (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    record_id UUID NOT NULL,
    field TEXT NOT NULL,
    origin BYTEA NOT NULL,
    settled BYTEA NOT NULL,
    targets UUID[] NOT NULL,
    PRIMARY KEY (tenant_id, object, record_id, field)
);
CREATE INDEX ix_displaced_references_targets ON displaced_references USING gin (targets);
GRANT SELECT, INSERT, UPDATE, DELETE ON displaced_references TO {role};
ALTER TABLE displaced_references ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON displaced_references USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW displaced_references_of_tenant AS SELECT * FROM displaced_references WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON displaced_references_of_tenant TO {role};
CREATE TABLE duplicates (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    object TEXT NOT NULL,
    low_id UUID NOT NULL,
    high_id UUID NOT NULL,
    score SMALLINT NOT NULL,
    reasons INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    dismissed INTEGER NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_duplicates_high ON duplicates (tenant_id, high_id);
CREATE INDEX ix_duplicates_low ON duplicates (tenant_id, low_id);
CREATE INDEX ix_duplicates_state ON duplicates (tenant_id, state, score, id);
CREATE UNIQUE INDEX uq_duplicates_pair ON duplicates (tenant_id, object, low_id, high_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON duplicates TO {role};
ALTER TABLE duplicates ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON duplicates USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW duplicates_of_tenant AS SELECT * FROM duplicates WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON duplicates_of_tenant TO {role};
CREATE TABLE match_keys (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    key BIGINT NOT NULL,
    record_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, object, key, record_id)
);
CREATE INDEX ix_match_keys_record ON match_keys (tenant_id, object, record_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON match_keys TO {role};
ALTER TABLE match_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON match_keys USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW match_keys_of_tenant AS SELECT * FROM match_keys WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON match_keys_of_tenant TO {role};
CREATE TABLE merged_parties (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    id UUID NOT NULL,
    survivor_id UUID NOT NULL,
    merge_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, object, id)
);
CREATE INDEX ix_merged_parties_survivor ON merged_parties (tenant_id, object, survivor_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON merged_parties TO {role};
ALTER TABLE merged_parties ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON merged_parties USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW merged_parties_of_tenant AS SELECT * FROM merged_parties WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON merged_parties_of_tenant TO {role};
CREATE TABLE merges (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    object TEXT NOT NULL,
    survivor_id UUID NOT NULL,
    merged_ids UUID[] NOT NULL,
    position INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    choices JSONB NOT NULL,
    before BYTEA NOT NULL,
    after BYTEA NOT NULL,
    batch_id UUID,
    actor JSONB NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    undo_time TIMESTAMP WITH TIME ZONE,
    kept BYTEA,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_merges_batch ON merges (tenant_id, batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX ix_merges_merged ON merges USING gin (merged_ids);
CREATE INDEX ix_merges_survivor ON merges (tenant_id, survivor_id, position);
GRANT SELECT, INSERT, UPDATE, DELETE ON merges TO {role};
ALTER TABLE merges ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON merges USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW merges_of_tenant AS SELECT * FROM merges WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON merges_of_tenant TO {role};
CREATE INDEX ix_contacts_relations ON contacts USING gin (jsonb_path_query_array(json::jsonb, '$.relations[*].*')) WHERE json LIKE '%"relations":%';
CREATE INDEX ix_companies_relations ON companies USING gin (jsonb_path_query_array(json::jsonb, '$.relations[*].*')) WHERE json LIKE '%"relations":%';
CREATE INDEX ix_requests_company ON requests (tenant_id, company_id);
