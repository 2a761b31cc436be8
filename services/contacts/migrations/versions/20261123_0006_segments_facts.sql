CREATE TABLE audience_pages (
    tenant_id UUID NOT NULL,
    operation_id UUID NOT NULL,
    page INTEGER NOT NULL,
    party_ids UUID[] NOT NULL,
    PRIMARY KEY (tenant_id, operation_id, page)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON audience_pages TO {role};
ALTER TABLE audience_pages ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audience_pages USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW audience_pages_of_tenant AS SELECT * FROM audience_pages WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON audience_pages_of_tenant TO {role};
CREATE TABLE card_items (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    contact_id UUID,
    company_id UUID,
    stage TEXT NOT NULL,
    amount NUMERIC,
    currency TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, kind, id)
);
CREATE INDEX ix_card_items_company ON card_items (tenant_id, company_id);
CREATE INDEX ix_card_items_contact ON card_items (tenant_id, contact_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON card_items TO {role};
ALTER TABLE card_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON card_items USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW card_items_of_tenant AS SELECT * FROM card_items WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON card_items_of_tenant TO {role};
CREATE TABLE segment_members (
    tenant_id UUID NOT NULL,
    segment_id UUID NOT NULL,
    party_id UUID NOT NULL,
    enter_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, segment_id, party_id)
);
CREATE INDEX ix_segment_members_party ON segment_members (tenant_id, party_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON segment_members TO {role};
ALTER TABLE segment_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON segment_members USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW segment_members_of_tenant AS SELECT * FROM segment_members WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON segment_members_of_tenant TO {role};
CREATE TABLE segments (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    label_key TEXT NOT NULL,
    label_search TEXT NOT NULL,
    resource TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    time_dependent BOOLEAN NOT NULL,
    told_version BIGINT DEFAULT '0' NOT NULL,
    told_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_segments_create_time ON segments (tenant_id, create_time, id);
CREATE INDEX ix_segments_label_key ON segments (tenant_id, label_key, id);
CREATE INDEX ix_segments_label_search ON segments USING gin (label_search gin_trgm_ops);
CREATE INDEX ix_segments_label_search_prefix ON segments (tenant_id, left(label_search, 64) text_pattern_ops);
CREATE INDEX ix_segments_owner_create_time ON segments (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_segments_owner_label_key ON segments (tenant_id, owner_id, label_key, id) INCLUDE (delete_time);
CREATE INDEX ix_segments_owner_update_time ON segments (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_segments_update_time ON segments (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON segments TO {role};
ALTER TABLE segments ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON segments USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW segments_of_tenant AS SELECT * FROM segments WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON segments_of_tenant TO {role};
CREATE TABLE segments_history (
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
CREATE INDEX ix_segments_history_valid ON segments_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON segments_history TO {role};
ALTER TABLE segments_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON segments_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
ALTER TABLE contacts
    ADD COLUMN facts BYTEA DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_contact_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_in_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_out_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_request_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_first_purchase_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_purchase_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_open_requests INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_open_deals INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_won_count INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_open_cases INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_open_deal_value NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_revenue NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_average_bill NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_debt NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_purchase_interval_days NUMERIC DEFAULT '-1' NOT NULL;
CREATE INDEX ix_contacts_fact_last_contact_time ON contacts (tenant_id, fact_last_contact_time, id);
CREATE INDEX ix_contacts_fact_open_requests ON contacts (tenant_id, fact_open_requests, id);
CREATE INDEX ix_contacts_owner_fact_last_contact_time ON contacts (tenant_id, owner_id, fact_last_contact_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_owner_fact_open_requests ON contacts (tenant_id, owner_id, fact_open_requests, id) INCLUDE (delete_time);
DROP VIEW contacts_of_tenant;
CREATE VIEW contacts_of_tenant AS SELECT tenant_id, id, version, create_time, update_time, delete_time, doc, json, owner_id, department_id, follower_ids, name_key, name_search, search, search_open, phone_digits, email_addresses, external_keys, label_ids, need_ids, tax_numbers, roles, cities, countries, lifecycle_stage, preferred_channel, language, time_zone, source_id, referrer_id, next_contact_date, given_name, family_name, position, company_id, birthday, birth_day, custom, facts, fact_last_contact_time, fact_last_in_time, fact_last_out_time, fact_last_request_time, fact_first_purchase_time, fact_last_purchase_time, fact_open_requests, fact_open_deals, fact_won_count, fact_open_cases, fact_open_deal_value, fact_revenue, fact_average_bill, fact_debt, fact_purchase_interval_days FROM contacts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON contacts_of_tenant TO {role};
ALTER TABLE companies
    ADD COLUMN facts BYTEA DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_contact_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_in_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_out_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_request_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_first_purchase_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_purchase_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_open_requests INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_open_deals INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_won_count INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_open_cases INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN fact_open_deal_value NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_revenue NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_average_bill NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_debt NUMERIC DEFAULT '0' NOT NULL,
    ADD COLUMN fact_purchase_interval_days NUMERIC DEFAULT '-1' NOT NULL;
CREATE INDEX ix_companies_fact_last_contact_time ON companies (tenant_id, fact_last_contact_time, id);
CREATE INDEX ix_companies_fact_open_requests ON companies (tenant_id, fact_open_requests, id);
CREATE INDEX ix_companies_owner_fact_last_contact_time ON companies (tenant_id, owner_id, fact_last_contact_time, id) INCLUDE (delete_time);
CREATE INDEX ix_companies_owner_fact_open_requests ON companies (tenant_id, owner_id, fact_open_requests, id) INCLUDE (delete_time);
DROP VIEW companies_of_tenant;
CREATE VIEW companies_of_tenant AS SELECT tenant_id, id, version, create_time, update_time, delete_time, doc, json, owner_id, department_id, follower_ids, name_key, name_search, search, search_open, phone_digits, email_addresses, external_keys, label_ids, need_ids, tax_numbers, roles, cities, countries, lifecycle_stage, preferred_channel, language, time_zone, source_id, referrer_id, next_contact_date, domains, industry, employee_count, custom, facts, fact_last_contact_time, fact_last_in_time, fact_last_out_time, fact_last_request_time, fact_first_purchase_time, fact_last_purchase_time, fact_open_requests, fact_open_deals, fact_won_count, fact_open_cases, fact_open_deal_value, fact_revenue, fact_average_bill, fact_debt, fact_purchase_interval_days FROM companies WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON companies_of_tenant TO {role};
