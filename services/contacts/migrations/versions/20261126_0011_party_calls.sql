CREATE TABLE party_calls (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    contact_id UUID,
    company_id UUID,
    direction TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    user_id UUID,
    event_id UUID,
    open_missed BOOLEAN NOT NULL,
    request_id UUID,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_party_calls_company ON party_calls (tenant_id, company_id, direction, time) WHERE direction <> '';
CREATE INDEX ix_party_calls_company_missed ON party_calls (tenant_id, company_id) WHERE open_missed;
CREATE INDEX ix_party_calls_contact ON party_calls (tenant_id, contact_id, direction, time) WHERE direction <> '';
CREATE INDEX ix_party_calls_contact_missed ON party_calls (tenant_id, contact_id) WHERE open_missed;
GRANT SELECT, INSERT, UPDATE, DELETE ON party_calls TO {role};
ALTER TABLE party_calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON party_calls USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW party_calls_of_tenant AS SELECT * FROM party_calls WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON party_calls_of_tenant TO {role};
