CREATE TABLE agreements (
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
    contact_id UUID,
    company_id UUID,
    author_id UUID,
    assignee_id UUID,
    state SMALLINT NOT NULL,
    date DATE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_agreements_assignee ON agreements (tenant_id, assignee_id, state, date, id);
CREATE INDEX ix_agreements_company ON agreements (tenant_id, company_id, create_time, id);
CREATE INDEX ix_agreements_contact ON agreements (tenant_id, contact_id, create_time, id);
CREATE INDEX ix_agreements_create_time ON agreements (tenant_id, create_time, id);
CREATE INDEX ix_agreements_date ON agreements (tenant_id, date, id);
CREATE INDEX ix_agreements_department ON agreements (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_agreements_followers ON agreements USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_agreements_owner_create_time ON agreements (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_agreements_owner_date ON agreements (tenant_id, owner_id, date, id) INCLUDE (delete_time);
CREATE INDEX ix_agreements_owner_update_time ON agreements (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_agreements_update_time ON agreements (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON agreements TO {role};
ALTER TABLE agreements ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agreements USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW agreements_of_tenant AS SELECT * FROM agreements WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON agreements_of_tenant TO {role};
CREATE TABLE agreements_history (
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
CREATE INDEX ix_agreements_history_valid ON agreements_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON agreements_history TO {role};
ALTER TABLE agreements_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agreements_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE consent_purposes (
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
CREATE INDEX ix_consent_purposes_create_time ON consent_purposes (tenant_id, create_time, id);
CREATE INDEX ix_consent_purposes_name_key ON consent_purposes (tenant_id, name_key, id);
CREATE INDEX ix_consent_purposes_name_search ON consent_purposes USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_consent_purposes_name_search_prefix ON consent_purposes (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_consent_purposes_position ON consent_purposes (tenant_id, position, id);
CREATE INDEX ix_consent_purposes_update_time ON consent_purposes (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_consent_purposes_key ON consent_purposes (tenant_id, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON consent_purposes TO {role};
ALTER TABLE consent_purposes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent_purposes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW consent_purposes_of_tenant AS SELECT * FROM consent_purposes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON consent_purposes_of_tenant TO {role};
CREATE TABLE consent_purposes_history (
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
CREATE INDEX ix_consent_purposes_history_valid ON consent_purposes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON consent_purposes_history TO {role};
ALTER TABLE consent_purposes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent_purposes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE consents (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    contact_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    channel SMALLINT NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    source SMALLINT NOT NULL,
    text_version INTEGER NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    proof TEXT NOT NULL,
    record_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_consents_contact ON consents (tenant_id, contact_id, record_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON consents TO {role};
ALTER TABLE consents ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consents USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW consents_of_tenant AS SELECT * FROM consents WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON consents_of_tenant TO {role};
CREATE TABLE data_change_values (
    tenant_id UUID NOT NULL,
    data_change_id UUID NOT NULL,
    field TEXT NOT NULL,
    contact_id UUID NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (tenant_id, data_change_id, field)
);
CREATE INDEX ix_data_change_values_contact ON data_change_values (tenant_id, contact_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON data_change_values TO {role};
ALTER TABLE data_change_values ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_change_values USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW data_change_values_of_tenant AS SELECT * FROM data_change_values WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON data_change_values_of_tenant TO {role};
CREATE TABLE data_changes (
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
    contact_id UUID,
    data_link_id UUID NOT NULL,
    state SMALLINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_data_changes_contact ON data_changes (tenant_id, contact_id, create_time, id);
CREATE INDEX ix_data_changes_create_time ON data_changes (tenant_id, create_time, id);
CREATE INDEX ix_data_changes_department ON data_changes (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_data_changes_followers ON data_changes USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_data_changes_link ON data_changes (tenant_id, data_link_id, state);
CREATE INDEX ix_data_changes_owner_create_time ON data_changes (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_data_changes_owner_update_time ON data_changes (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_data_changes_update_time ON data_changes (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON data_changes TO {role};
ALTER TABLE data_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_changes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW data_changes_of_tenant AS SELECT * FROM data_changes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON data_changes_of_tenant TO {role};
CREATE TABLE data_changes_history (
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
CREATE INDEX ix_data_changes_history_valid ON data_changes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON data_changes_history TO {role};
ALTER TABLE data_changes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_changes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE data_link_keys (
    tenant_id UUID NOT NULL,
    key_hash TEXT NOT NULL,
    data_link_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, key_hash)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON data_link_keys TO {role};
ALTER TABLE data_link_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_link_keys USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW data_link_keys_of_tenant AS SELECT * FROM data_link_keys WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON data_link_keys_of_tenant TO {role};
CREATE TABLE data_links (
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
    contact_id UUID,
    author_id UUID,
    expire_time TIMESTAMP WITH TIME ZONE NOT NULL,
    revoke_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_data_links_contact ON data_links (tenant_id, contact_id, create_time, id);
CREATE INDEX ix_data_links_create_time ON data_links (tenant_id, create_time, id);
CREATE INDEX ix_data_links_department ON data_links (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_data_links_expire_time ON data_links (tenant_id, expire_time, id);
CREATE INDEX ix_data_links_followers ON data_links USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_data_links_owner_create_time ON data_links (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_data_links_owner_expire_time ON data_links (tenant_id, owner_id, expire_time, id) INCLUDE (delete_time);
CREATE INDEX ix_data_links_owner_update_time ON data_links (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_data_links_update_time ON data_links (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON data_links TO {role};
ALTER TABLE data_links ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_links USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW data_links_of_tenant AS SELECT * FROM data_links WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON data_links_of_tenant TO {role};
CREATE TABLE data_links_history (
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
CREATE INDEX ix_data_links_history_valid ON data_links_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON data_links_history TO {role};
ALTER TABLE data_links_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_links_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE layouts (
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
    resource TEXT NOT NULL,
    party_role SMALLINT NOT NULL,
    role_id UUID,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_layouts_create_time ON layouts (tenant_id, create_time, id);
CREATE INDEX ix_layouts_name_key ON layouts (tenant_id, name_key, id);
CREATE INDEX ix_layouts_name_search ON layouts USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_layouts_name_search_prefix ON layouts (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_layouts_update_time ON layouts (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON layouts TO {role};
ALTER TABLE layouts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON layouts USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW layouts_of_tenant AS SELECT * FROM layouts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON layouts_of_tenant TO {role};
CREATE TABLE layouts_history (
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
CREATE INDEX ix_layouts_history_valid ON layouts_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON layouts_history TO {role};
ALTER TABLE layouts_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON layouts_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE notes (
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
    contact_id UUID,
    company_id UUID,
    request_id UUID,
    author_id UUID,
    pinned BOOLEAN NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_notes_company ON notes (tenant_id, company_id, create_time, id);
CREATE INDEX ix_notes_contact ON notes (tenant_id, contact_id, create_time, id);
CREATE INDEX ix_notes_create_time ON notes (tenant_id, create_time, id);
CREATE INDEX ix_notes_department ON notes (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_notes_followers ON notes USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_notes_owner_create_time ON notes (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_notes_owner_update_time ON notes (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_notes_request ON notes (tenant_id, request_id, create_time, id);
CREATE INDEX ix_notes_search ON notes USING gin (search gin_trgm_ops);
CREATE INDEX ix_notes_search_prefix ON notes (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_notes_update_time ON notes (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO {role};
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW notes_of_tenant AS SELECT * FROM notes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON notes_of_tenant TO {role};
CREATE TABLE notes_history (
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
CREATE INDEX ix_notes_history_valid ON notes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes_history TO {role};
ALTER TABLE notes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
ALTER TABLE contacts ADD COLUMN next_contact_date DATE DEFAULT '9999-12-31' NOT NULL;
CREATE INDEX ix_contacts_next_contact_date ON contacts (tenant_id, next_contact_date, id);
CREATE INDEX ix_contacts_owner_next_contact_date ON contacts (tenant_id, owner_id, next_contact_date, id) INCLUDE (delete_time);
DROP VIEW contacts_of_tenant;
CREATE VIEW contacts_of_tenant AS SELECT tenant_id, id, version, create_time, update_time, delete_time, doc, json, owner_id, department_id, follower_ids, name_key, name_search, search, search_open, phone_digits, email_addresses, external_keys, label_ids, need_ids, tax_numbers, roles, cities, countries, lifecycle_stage, preferred_channel, language, time_zone, source_id, referrer_id, next_contact_date, given_name, family_name, position, company_id, birthday, birth_day, custom FROM contacts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON contacts_of_tenant TO {role};
ALTER TABLE companies ADD COLUMN next_contact_date DATE DEFAULT '9999-12-31' NOT NULL;
CREATE INDEX ix_companies_next_contact_date ON companies (tenant_id, next_contact_date, id);
CREATE INDEX ix_companies_owner_next_contact_date ON companies (tenant_id, owner_id, next_contact_date, id) INCLUDE (delete_time);
DROP VIEW companies_of_tenant;
CREATE VIEW companies_of_tenant AS SELECT tenant_id, id, version, create_time, update_time, delete_time, doc, json, owner_id, department_id, follower_ids, name_key, name_search, search, search_open, phone_digits, email_addresses, external_keys, label_ids, need_ids, tax_numbers, roles, cities, countries, lifecycle_stage, preferred_channel, language, time_zone, source_id, referrer_id, next_contact_date, domains, industry, employee_count, custom FROM companies WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON companies_of_tenant TO {role};
