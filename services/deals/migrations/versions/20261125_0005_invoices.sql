CREATE TABLE buyers (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON buyers TO {role};
ALTER TABLE buyers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON buyers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW buyers_of_tenant AS SELECT * FROM buyers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON buyers_of_tenant TO {role};
CREATE TABLE invoice_numbers (
    tenant_id UUID NOT NULL,
    legal_entity_id UUID NOT NULL,
    type SMALLINT NOT NULL,
    year SMALLINT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, legal_entity_id, type, year)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON invoice_numbers TO {role};
ALTER TABLE invoice_numbers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invoice_numbers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW invoice_numbers_of_tenant AS SELECT * FROM invoice_numbers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON invoice_numbers_of_tenant TO {role};
CREATE TABLE invoices (
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
    type SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    number TEXT,
    number_key TEXT NOT NULL,
    legal_entity_id UUID,
    deal_id UUID,
    quote_id UUID,
    contact_id UUID,
    company_id UUID,
    credited_invoice_id UUID,
    currency TEXT NOT NULL,
    gross NUMERIC NOT NULL,
    open_amount NUMERIC NOT NULL,
    overpaid_amount NUMERIC NOT NULL,
    issue_key DATE NOT NULL,
    due_key DATE NOT NULL,
    due_dates DATE[] NOT NULL,
    due_amounts NUMERIC[] NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_invoices_company ON invoices (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_invoices_contact ON invoices (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_invoices_create_time ON invoices (tenant_id, create_time, id);
CREATE INDEX ix_invoices_credited ON invoices (tenant_id, credited_invoice_id) WHERE credited_invoice_id IS NOT NULL;
CREATE INDEX ix_invoices_deal ON invoices (tenant_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX ix_invoices_department ON invoices (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_invoices_due_key ON invoices (tenant_id, due_key, id);
CREATE INDEX ix_invoices_followers ON invoices USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_invoices_gross ON invoices (tenant_id, gross, id);
CREATE INDEX ix_invoices_issue_key ON invoices (tenant_id, issue_key, id);
CREATE INDEX ix_invoices_number_key ON invoices (tenant_id, number_key, id);
CREATE INDEX ix_invoices_open ON invoices (tenant_id, due_key, id) WHERE state IN (2, 3);
CREATE INDEX ix_invoices_open_amount ON invoices (tenant_id, open_amount, id);
CREATE INDEX ix_invoices_owner_create_time ON invoices (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_owner_due_key ON invoices (tenant_id, owner_id, due_key, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_owner_gross ON invoices (tenant_id, owner_id, gross, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_owner_issue_key ON invoices (tenant_id, owner_id, issue_key, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_owner_number_key ON invoices (tenant_id, owner_id, number_key, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_owner_open_amount ON invoices (tenant_id, owner_id, open_amount, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_owner_update_time ON invoices (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_invoices_quote ON invoices (tenant_id, quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX ix_invoices_search ON invoices USING gin (search gin_trgm_ops);
CREATE INDEX ix_invoices_search_prefix ON invoices (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_invoices_update_time ON invoices (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_invoices_number ON invoices (tenant_id, legal_entity_id, number) WHERE number IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON invoices TO {role};
ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invoices USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW invoices_of_tenant AS SELECT * FROM invoices WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON invoices_of_tenant TO {role};
CREATE TABLE invoices_history (
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
CREATE INDEX ix_invoices_history_valid ON invoices_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON invoices_history TO {role};
ALTER TABLE invoices_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invoices_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE legal_entities (
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
CREATE INDEX ix_legal_entities_create_time ON legal_entities (tenant_id, create_time, id);
CREATE INDEX ix_legal_entities_name_key ON legal_entities (tenant_id, name_key, id);
CREATE INDEX ix_legal_entities_name_search ON legal_entities USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_legal_entities_name_search_prefix ON legal_entities (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_legal_entities_position ON legal_entities (tenant_id, position, id);
CREATE INDEX ix_legal_entities_update_time ON legal_entities (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_legal_entities_name ON legal_entities (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON legal_entities TO {role};
ALTER TABLE legal_entities ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON legal_entities USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW legal_entities_of_tenant AS SELECT * FROM legal_entities WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON legal_entities_of_tenant TO {role};
CREATE TABLE legal_entities_history (
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
CREATE INDEX ix_legal_entities_history_valid ON legal_entities_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON legal_entities_history TO {role};
ALTER TABLE legal_entities_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON legal_entities_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
