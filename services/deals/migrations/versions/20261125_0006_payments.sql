CREATE TABLE bank_statement_lines (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    statement_id UUID NOT NULL,
    position INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    booking_date DATE NOT NULL,
    amount NUMERIC NOT NULL,
    currency TEXT NOT NULL,
    outgoing BOOLEAN NOT NULL,
    payment_id UUID,
    contact_id UUID,
    company_id UUID,
    fingerprint TEXT NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_bank_statement_lines_amount ON bank_statement_lines (tenant_id, amount, id);
CREATE INDEX ix_bank_statement_lines_booking_date ON bank_statement_lines (tenant_id, booking_date, id);
CREATE INDEX ix_bank_statement_lines_company ON bank_statement_lines (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_bank_statement_lines_contact ON bank_statement_lines (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_bank_statement_lines_create_time ON bank_statement_lines (tenant_id, create_time, id);
CREATE INDEX ix_bank_statement_lines_doubtful ON bank_statement_lines (tenant_id, booking_date, id) WHERE state = 3;
CREATE INDEX ix_bank_statement_lines_search ON bank_statement_lines USING gin (search gin_trgm_ops);
CREATE INDEX ix_bank_statement_lines_search_prefix ON bank_statement_lines (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_bank_statement_lines_statement ON bank_statement_lines (tenant_id, statement_id, position);
CREATE INDEX ix_bank_statement_lines_update_time ON bank_statement_lines (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_bank_statement_lines_fingerprint ON bank_statement_lines (tenant_id, fingerprint);
GRANT SELECT, INSERT, UPDATE, DELETE ON bank_statement_lines TO {role};
ALTER TABLE bank_statement_lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON bank_statement_lines USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW bank_statement_lines_of_tenant AS SELECT * FROM bank_statement_lines WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON bank_statement_lines_of_tenant TO {role};
CREATE TABLE bank_statement_lines_history (
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
CREATE INDEX ix_bank_statement_lines_history_valid ON bank_statement_lines_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON bank_statement_lines_history TO {role};
ALTER TABLE bank_statement_lines_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON bank_statement_lines_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE bank_statements (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    file_id UUID,
    state SMALLINT NOT NULL,
    account TEXT NOT NULL,
    from_date DATE,
    until_date DATE,
    doubtful_count INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_bank_statements_create_time ON bank_statements (tenant_id, create_time, id);
CREATE INDEX ix_bank_statements_update_time ON bank_statements (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON bank_statements TO {role};
ALTER TABLE bank_statements ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON bank_statements USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW bank_statements_of_tenant AS SELECT * FROM bank_statements WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON bank_statements_of_tenant TO {role};
CREATE TABLE bank_statements_history (
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
CREATE INDEX ix_bank_statements_history_valid ON bank_statements_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON bank_statements_history TO {role};
ALTER TABLE bank_statements_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON bank_statements_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE payments (
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
    source SMALLINT NOT NULL,
    way SMALLINT NOT NULL,
    currency TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    unallocated_amount NUMERIC NOT NULL,
    over_paid BOOLEAN NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    deal_id UUID,
    contact_id UUID,
    company_id UUID,
    invoice_ids UUID[] NOT NULL,
    refunded_payment_id UUID,
    statement_line_id UUID,
    account_key TEXT NOT NULL,
    provider_event TEXT,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_payments_account ON payments (tenant_id, account_key) WHERE account_key <> '';
CREATE INDEX ix_payments_amount ON payments (tenant_id, amount, id);
CREATE INDEX ix_payments_company ON payments (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_payments_contact ON payments (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_payments_create_time ON payments (tenant_id, create_time, id);
CREATE INDEX ix_payments_deal ON payments (tenant_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX ix_payments_department ON payments (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_payments_followers ON payments USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_payments_invoices ON payments USING gin (invoice_ids);
CREATE INDEX ix_payments_owner_amount ON payments (tenant_id, owner_id, amount, id) INCLUDE (delete_time);
CREATE INDEX ix_payments_owner_create_time ON payments (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_payments_owner_time ON payments (tenant_id, owner_id, time, id) INCLUDE (delete_time);
CREATE INDEX ix_payments_owner_update_time ON payments (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_payments_refunds ON payments (tenant_id, refunded_payment_id) WHERE refunded_payment_id IS NOT NULL;
CREATE INDEX ix_payments_rest ON payments (tenant_id, time, id) WHERE unallocated_amount > 0;
CREATE INDEX ix_payments_search ON payments USING gin (search gin_trgm_ops);
CREATE INDEX ix_payments_search_prefix ON payments (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_payments_time ON payments (tenant_id, time, id);
CREATE INDEX ix_payments_update_time ON payments (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_payments_line ON payments (tenant_id, statement_line_id) WHERE statement_line_id IS NOT NULL AND delete_time IS NULL;
CREATE UNIQUE INDEX uq_payments_provider_event ON payments (tenant_id, provider_event) WHERE provider_event IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON payments TO {role};
ALTER TABLE payments ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payments USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW payments_of_tenant AS SELECT * FROM payments WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON payments_of_tenant TO {role};
CREATE TABLE payments_history (
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
CREATE INDEX ix_payments_history_valid ON payments_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON payments_history TO {role};
ALTER TABLE payments_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payments_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
