CREATE TABLE call_spells (
    tenant_id UUID NOT NULL,
    spell_id UUID NOT NULL,
    task_id UUID,
    missed_count INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    ended BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, spell_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON call_spells TO {role};
ALTER TABLE call_spells ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON call_spells USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW call_spells_of_tenant AS SELECT * FROM call_spells WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON call_spells_of_tenant TO {role};
