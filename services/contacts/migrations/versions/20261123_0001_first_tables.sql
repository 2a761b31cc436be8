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
CREATE TABLE assignment_turns (
    tenant_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    last_user_id UUID,
    PRIMARY KEY (tenant_id, rule_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON assignment_turns TO {role};
ALTER TABLE assignment_turns ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON assignment_turns USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW assignment_turns_of_tenant AS SELECT * FROM assignment_turns WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON assignment_turns_of_tenant TO {role};
CREATE TABLE companies (
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
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    phone_digits TEXT[] NOT NULL,
    email_addresses TEXT[] NOT NULL,
    external_keys TEXT[] NOT NULL,
    label_ids UUID[] NOT NULL,
    need_ids UUID[] NOT NULL,
    tax_numbers TEXT[] NOT NULL,
    roles TEXT[] NOT NULL,
    cities TEXT[] NOT NULL,
    countries TEXT[] NOT NULL,
    lifecycle_stage SMALLINT NOT NULL,
    preferred_channel SMALLINT NOT NULL,
    language TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    source_id UUID,
    referrer_id UUID,
    domains TEXT[] NOT NULL,
    industry TEXT NOT NULL,
    employee_count INTEGER NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_companies_create_time ON companies (tenant_id, create_time, id);
CREATE INDEX ix_companies_custom ON companies USING gin (custom jsonb_path_ops);
CREATE INDEX ix_companies_department ON companies (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_companies_followers ON companies USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_companies_keys ON companies USING gin (phone_digits, email_addresses, external_keys, tax_numbers, label_ids, need_ids);
CREATE INDEX ix_companies_name_key ON companies (tenant_id, name_key, id);
CREATE INDEX ix_companies_owner_create_time ON companies (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_companies_owner_name_key ON companies (tenant_id, owner_id, name_key, id) INCLUDE (delete_time);
CREATE INDEX ix_companies_owner_update_time ON companies (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_companies_referrer ON companies (tenant_id, referrer_id);
CREATE INDEX ix_companies_search ON companies USING gin (search gin_trgm_ops);
CREATE INDEX ix_companies_search_open ON companies USING gin (search_open gin_trgm_ops);
CREATE INDEX ix_companies_search_prefix ON companies (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_companies_update_time ON companies (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON companies TO {role};
ALTER TABLE companies ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON companies USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW companies_of_tenant AS SELECT * FROM companies WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON companies_of_tenant TO {role};
CREATE TABLE companies_history (
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
CREATE INDEX ix_companies_history_valid ON companies_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON companies_history TO {role};
ALTER TABLE companies_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON companies_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE contacts (
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
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    phone_digits TEXT[] NOT NULL,
    email_addresses TEXT[] NOT NULL,
    external_keys TEXT[] NOT NULL,
    label_ids UUID[] NOT NULL,
    need_ids UUID[] NOT NULL,
    tax_numbers TEXT[] NOT NULL,
    roles TEXT[] NOT NULL,
    cities TEXT[] NOT NULL,
    countries TEXT[] NOT NULL,
    lifecycle_stage SMALLINT NOT NULL,
    preferred_channel SMALLINT NOT NULL,
    language TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    source_id UUID,
    referrer_id UUID,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    position TEXT NOT NULL,
    company_id UUID,
    birthday DATE,
    birth_day SMALLINT NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_contacts_company ON contacts (tenant_id, company_id);
CREATE INDEX ix_contacts_create_time ON contacts (tenant_id, create_time, id);
CREATE INDEX ix_contacts_custom ON contacts USING gin (custom jsonb_path_ops);
CREATE INDEX ix_contacts_department ON contacts (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_contacts_followers ON contacts USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_contacts_keys ON contacts USING gin (phone_digits, email_addresses, external_keys, tax_numbers, label_ids, need_ids);
CREATE INDEX ix_contacts_name_key ON contacts (tenant_id, name_key, id);
CREATE INDEX ix_contacts_owner_create_time ON contacts (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_owner_name_key ON contacts (tenant_id, owner_id, name_key, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_owner_update_time ON contacts (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_referrer ON contacts (tenant_id, referrer_id);
CREATE INDEX ix_contacts_search ON contacts USING gin (search gin_trgm_ops);
CREATE INDEX ix_contacts_search_open ON contacts USING gin (search_open gin_trgm_ops);
CREATE INDEX ix_contacts_search_prefix ON contacts (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_contacts_update_time ON contacts (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO {role};
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contacts USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW contacts_of_tenant AS SELECT * FROM contacts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON contacts_of_tenant TO {role};
CREATE TABLE contacts_history (
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
CREATE INDEX ix_contacts_history_valid ON contacts_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON contacts_history TO {role};
ALTER TABLE contacts_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contacts_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE custom_fields (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    resource TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_custom_fields_create_time ON custom_fields (tenant_id, create_time, id);
CREATE INDEX ix_custom_fields_key ON custom_fields (tenant_id, key, id);
CREATE INDEX ix_custom_fields_update_time ON custom_fields (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_custom_fields_key ON custom_fields (tenant_id, resource, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON custom_fields TO {role};
ALTER TABLE custom_fields ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON custom_fields USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW custom_fields_of_tenant AS SELECT * FROM custom_fields WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON custom_fields_of_tenant TO {role};
CREATE TABLE custom_fields_history (
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
CREATE INDEX ix_custom_fields_history_valid ON custom_fields_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON custom_fields_history TO {role};
ALTER TABLE custom_fields_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON custom_fields_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE external_ids (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    system TEXT NOT NULL,
    external_id TEXT NOT NULL,
    holder_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, object, system, external_id)
);
CREATE INDEX ix_external_ids_holder ON external_ids (tenant_id, holder_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON external_ids TO {role};
ALTER TABLE external_ids ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON external_ids USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW external_ids_of_tenant AS SELECT * FROM external_ids WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON external_ids_of_tenant TO {role};
CREATE TABLE form_submissions (
    tenant_id UUID NOT NULL,
    form_id UUID NOT NULL,
    address_hash TEXT NOT NULL,
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, form_id, address_hash, minute)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON form_submissions TO {role};
ALTER TABLE form_submissions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON form_submissions USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW form_submissions_of_tenant AS SELECT * FROM form_submissions WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON form_submissions_of_tenant TO {role};
CREATE TABLE forms (
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
    department_id UUID,
    source_id UUID,
    closed BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_forms_create_time ON forms (tenant_id, create_time, id);
CREATE INDEX ix_forms_department ON forms (tenant_id, department_id, create_time, id);
CREATE INDEX ix_forms_name_key ON forms (tenant_id, name_key, id);
CREATE INDEX ix_forms_name_search ON forms USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_forms_name_search_prefix ON forms (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_forms_update_time ON forms (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_forms_key ON forms (tenant_id, key);
GRANT SELECT, INSERT, UPDATE, DELETE ON forms TO {role};
ALTER TABLE forms ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON forms USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW forms_of_tenant AS SELECT * FROM forms WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON forms_of_tenant TO {role};
CREATE TABLE forms_history (
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
CREATE INDEX ix_forms_history_valid ON forms_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON forms_history TO {role};
ALTER TABLE forms_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON forms_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE labels (
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
CREATE INDEX ix_labels_create_time ON labels (tenant_id, create_time, id);
CREATE INDEX ix_labels_name_key ON labels (tenant_id, name_key, id);
CREATE INDEX ix_labels_name_search ON labels USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_labels_name_search_prefix ON labels (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_labels_position ON labels (tenant_id, position, id);
CREATE INDEX ix_labels_update_time ON labels (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_labels_name ON labels (tenant_id, name_key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON labels TO {role};
ALTER TABLE labels ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON labels USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW labels_of_tenant AS SELECT * FROM labels WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON labels_of_tenant TO {role};
CREATE TABLE labels_history (
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
CREATE INDEX ix_labels_history_valid ON labels_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON labels_history TO {role};
ALTER TABLE labels_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON labels_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE needs (
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
CREATE INDEX ix_needs_create_time ON needs (tenant_id, create_time, id);
CREATE INDEX ix_needs_name_key ON needs (tenant_id, name_key, id);
CREATE INDEX ix_needs_name_search ON needs USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_needs_name_search_prefix ON needs (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_needs_position ON needs (tenant_id, position, id);
CREATE INDEX ix_needs_update_time ON needs (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_needs_key ON needs (tenant_id, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON needs TO {role};
ALTER TABLE needs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON needs USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW needs_of_tenant AS SELECT * FROM needs WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON needs_of_tenant TO {role};
CREATE TABLE needs_history (
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
CREATE INDEX ix_needs_history_valid ON needs_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON needs_history TO {role};
ALTER TABLE needs_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON needs_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE requests (
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
    state SMALLINT NOT NULL,
    close_reason SMALLINT NOT NULL,
    channel SMALLINT NOT NULL,
    form_id UUID,
    source_id UUID,
    contact_id UUID,
    company_id UUID,
    deal_ids UUID[] NOT NULL,
    label_ids UUID[] NOT NULL,
    choose BOOLEAN NOT NULL,
    honeypot_filled BOOLEAN NOT NULL,
    first_response_time TIMESTAMP WITH TIME ZONE,
    name TEXT NOT NULL,
    phone_digits TEXT NOT NULL,
    email TEXT NOT NULL,
    visitor_id TEXT NOT NULL,
    utm_source TEXT NOT NULL,
    utm_campaign TEXT NOT NULL,
    keyword TEXT NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_requests_contact ON requests (tenant_id, contact_id, create_time);
CREATE INDEX ix_requests_create_time ON requests (tenant_id, create_time, id);
CREATE INDEX ix_requests_custom ON requests USING gin (custom jsonb_path_ops);
CREATE INDEX ix_requests_department ON requests (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_requests_followers ON requests USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_requests_keys ON requests USING gin (deal_ids, label_ids);
CREATE INDEX ix_requests_owner_create_time ON requests (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_requests_owner_update_time ON requests (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_requests_search ON requests USING gin (search gin_trgm_ops);
CREATE INDEX ix_requests_search_open ON requests USING gin (search_open gin_trgm_ops);
CREATE INDEX ix_requests_search_prefix ON requests (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_requests_state ON requests (tenant_id, state, create_time, id);
CREATE INDEX ix_requests_update_time ON requests (tenant_id, update_time, id);
CREATE INDEX ix_requests_waiting ON requests (tenant_id, owner_id) WHERE state IN (1, 2, 3);
GRANT SELECT, INSERT, UPDATE, DELETE ON requests TO {role};
ALTER TABLE requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON requests USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW requests_of_tenant AS SELECT * FROM requests WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON requests_of_tenant TO {role};
CREATE TABLE requests_history (
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
CREATE INDEX ix_requests_history_valid ON requests_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON requests_history TO {role};
ALTER TABLE requests_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON requests_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE saved_views (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID NOT NULL,
    resource TEXT NOT NULL,
    label TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_saved_views_create_time ON saved_views (tenant_id, create_time, id);
CREATE INDEX ix_saved_views_label ON saved_views (tenant_id, label, id);
CREATE INDEX ix_saved_views_owner_create_time ON saved_views (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_saved_views_owner_label ON saved_views (tenant_id, owner_id, label, id) INCLUDE (delete_time);
CREATE INDEX ix_saved_views_owner_update_time ON saved_views (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_saved_views_update_time ON saved_views (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_views TO {role};
ALTER TABLE saved_views ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON saved_views USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW saved_views_of_tenant AS SELECT * FROM saved_views WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON saved_views_of_tenant TO {role};
CREATE TABLE saved_views_history (
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
CREATE INDEX ix_saved_views_history_valid ON saved_views_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_views_history TO {role};
ALTER TABLE saved_views_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON saved_views_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE sources (
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
CREATE INDEX ix_sources_create_time ON sources (tenant_id, create_time, id);
CREATE INDEX ix_sources_name_key ON sources (tenant_id, name_key, id);
CREATE INDEX ix_sources_name_search ON sources USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_sources_name_search_prefix ON sources (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_sources_position ON sources (tenant_id, position, id);
CREATE INDEX ix_sources_update_time ON sources (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_sources_key ON sources (tenant_id, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON sources TO {role};
ALTER TABLE sources ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sources USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW sources_of_tenant AS SELECT * FROM sources WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON sources_of_tenant TO {role};
CREATE TABLE sources_history (
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
CREATE INDEX ix_sources_history_valid ON sources_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON sources_history TO {role};
ALTER TABLE sources_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sources_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE timeline (
    tenant_id UUID NOT NULL,
    party_id UUID NOT NULL,
    event_id UUID NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    first BOOLEAN NOT NULL,
    type TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id UUID,
    actor JSONB NOT NULL,
    cause JSONB NOT NULL,
    headline TEXT NOT NULL,
    headline_field TEXT NOT NULL,
    changed TEXT[] NOT NULL,
    object TEXT NOT NULL,
    object_id UUID,
    PRIMARY KEY (tenant_id, party_id, event_id)
);
CREATE INDEX ix_timeline_party ON timeline (tenant_id, party_id, time, event_id);
CREATE INDEX ix_timeline_time ON timeline (tenant_id, time, event_id) WHERE first;
CREATE INDEX ix_timeline_user ON timeline (tenant_id, user_id, time, event_id) WHERE first;
GRANT SELECT, INSERT, UPDATE, DELETE ON timeline TO {role};
ALTER TABLE timeline ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON timeline USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW timeline_of_tenant AS SELECT * FROM timeline WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON timeline_of_tenant TO {role};
CREATE TABLE timeline_guards (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    object_id UUID NOT NULL,
    version BIGINT NOT NULL,
    owner_id UUID,
    department_id UUID,
    follower_ids UUID[] NOT NULL,
    PRIMARY KEY (tenant_id, object, object_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON timeline_guards TO {role};
ALTER TABLE timeline_guards ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON timeline_guards USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW timeline_guards_of_tenant AS SELECT * FROM timeline_guards WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON timeline_guards_of_tenant TO {role};
