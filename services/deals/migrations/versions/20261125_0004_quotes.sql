CREATE TABLE quote_answer_counts (
    tenant_id UUID NOT NULL,
    quote_id UUID NOT NULL,
    sender_hash TEXT NOT NULL,
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, quote_id, sender_hash, minute)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON quote_answer_counts TO {role};
ALTER TABLE quote_answer_counts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON quote_answer_counts USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW quote_answer_counts_of_tenant AS SELECT * FROM quote_answer_counts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON quote_answer_counts_of_tenant TO {role};
CREATE TABLE quote_numbers (
    tenant_id UUID NOT NULL,
    year INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, year)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON quote_numbers TO {role};
ALTER TABLE quote_numbers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON quote_numbers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW quote_numbers_of_tenant AS SELECT * FROM quote_numbers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON quote_numbers_of_tenant TO {role};
CREATE TABLE quote_proofs (
    tenant_id UUID NOT NULL,
    quote_id UUID NOT NULL,
    name TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    address TEXT NOT NULL,
    program TEXT NOT NULL,
    quote_etag TEXT NOT NULL,
    PRIMARY KEY (tenant_id, quote_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON quote_proofs TO {role};
ALTER TABLE quote_proofs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON quote_proofs USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW quote_proofs_of_tenant AS SELECT * FROM quote_proofs WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON quote_proofs_of_tenant TO {role};
CREATE TABLE quotes (
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
    deal_id UUID NOT NULL,
    contact_id UUID,
    company_id UUID,
    state SMALLINT NOT NULL,
    number TEXT NOT NULL,
    version_number INTEGER NOT NULL,
    author_id UUID,
    currency TEXT NOT NULL,
    gross NUMERIC NOT NULL,
    valid_key DATE NOT NULL,
    send_key TIMESTAMP WITH TIME ZONE NOT NULL,
    search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_quotes_company ON quotes (tenant_id, company_id);
CREATE INDEX ix_quotes_contact ON quotes (tenant_id, contact_id);
CREATE INDEX ix_quotes_create_time ON quotes (tenant_id, create_time, id);
CREATE INDEX ix_quotes_deal ON quotes (tenant_id, deal_id, state);
CREATE INDEX ix_quotes_department ON quotes (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_quotes_followers ON quotes USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_quotes_gross ON quotes (tenant_id, gross, id);
CREATE INDEX ix_quotes_number ON quotes (tenant_id, number, id);
CREATE INDEX ix_quotes_owner_create_time ON quotes (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_quotes_owner_gross ON quotes (tenant_id, owner_id, gross, id) INCLUDE (delete_time);
CREATE INDEX ix_quotes_owner_number ON quotes (tenant_id, owner_id, number, id) INCLUDE (delete_time);
CREATE INDEX ix_quotes_owner_send_key ON quotes (tenant_id, owner_id, send_key, id) INCLUDE (delete_time);
CREATE INDEX ix_quotes_owner_update_time ON quotes (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_quotes_owner_valid_key ON quotes (tenant_id, owner_id, valid_key, id) INCLUDE (delete_time);
CREATE INDEX ix_quotes_search ON quotes USING gin (search gin_trgm_ops);
CREATE INDEX ix_quotes_search_prefix ON quotes (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_quotes_send_key ON quotes (tenant_id, send_key, id);
CREATE INDEX ix_quotes_update_time ON quotes (tenant_id, update_time, id);
CREATE INDEX ix_quotes_valid_key ON quotes (tenant_id, valid_key, id);
CREATE UNIQUE INDEX uq_quotes_number ON quotes (tenant_id, number, version_number);
GRANT SELECT, INSERT, UPDATE, DELETE ON quotes TO {role};
ALTER TABLE quotes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON quotes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW quotes_of_tenant AS SELECT * FROM quotes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON quotes_of_tenant TO {role};
CREATE TABLE quotes_history (
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
CREATE INDEX ix_quotes_history_valid ON quotes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON quotes_history TO {role};
ALTER TABLE quotes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON quotes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
