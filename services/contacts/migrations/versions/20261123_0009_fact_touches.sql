ALTER TABLE contacts
    ADD COLUMN fact_first_touch_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_first_touch_utm_source TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_first_touch_utm_medium TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_first_touch_utm_campaign TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_first_touch_landing_page TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_first_touch_referrer TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_first_touch_click_ids TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN fact_last_touch_time TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00:00' NOT NULL,
    ADD COLUMN fact_last_touch_utm_source TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_touch_utm_medium TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_touch_utm_campaign TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_touch_landing_page TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_touch_referrer TEXT DEFAULT '' NOT NULL,
    ADD COLUMN fact_last_touch_click_ids TEXT[] DEFAULT '{}' NOT NULL;
CREATE INDEX ix_companies_fact_last_in_time ON companies (tenant_id, fact_last_in_time, id);
CREATE INDEX ix_companies_fact_last_out_time ON companies (tenant_id, fact_last_out_time, id);
CREATE INDEX ix_companies_fact_last_request_time ON companies (tenant_id, fact_last_request_time, id);
CREATE INDEX ix_companies_owner_fact_last_in_time ON companies (tenant_id, owner_id, fact_last_in_time, id) INCLUDE (delete_time);
CREATE INDEX ix_companies_owner_fact_last_out_time ON companies (tenant_id, owner_id, fact_last_out_time, id) INCLUDE (delete_time);
CREATE INDEX ix_companies_owner_fact_last_request_time ON companies (tenant_id, owner_id, fact_last_request_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_fact_last_in_time ON contacts (tenant_id, fact_last_in_time, id);
CREATE INDEX ix_contacts_fact_last_out_time ON contacts (tenant_id, fact_last_out_time, id);
CREATE INDEX ix_contacts_fact_last_request_time ON contacts (tenant_id, fact_last_request_time, id);
CREATE INDEX ix_contacts_first_touch ON contacts (tenant_id, fact_first_touch_utm_campaign, fact_first_touch_utm_source, fact_first_touch_utm_medium, fact_first_touch_time) WHERE fact_first_touch_time <> '1970-01-01 00:00:00+00'::timestamptz;
CREATE INDEX ix_contacts_first_touch_clicks ON contacts USING gin (fact_first_touch_click_ids) WHERE fact_first_touch_time <> '1970-01-01 00:00:00+00'::timestamptz;
CREATE INDEX ix_contacts_last_touch ON contacts (tenant_id, fact_last_touch_utm_campaign, fact_last_touch_utm_source, fact_last_touch_utm_medium, fact_last_touch_time) WHERE fact_last_touch_time <> '1970-01-01 00:00:00+00'::timestamptz;
CREATE INDEX ix_contacts_last_touch_clicks ON contacts USING gin (fact_last_touch_click_ids) WHERE fact_last_touch_time <> '1970-01-01 00:00:00+00'::timestamptz;
CREATE INDEX ix_contacts_owner_fact_last_in_time ON contacts (tenant_id, owner_id, fact_last_in_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_owner_fact_last_out_time ON contacts (tenant_id, owner_id, fact_last_out_time, id) INCLUDE (delete_time);
CREATE INDEX ix_contacts_owner_fact_last_request_time ON contacts (tenant_id, owner_id, fact_last_request_time, id) INCLUDE (delete_time);
DROP VIEW contacts_of_tenant;
CREATE VIEW contacts_of_tenant AS SELECT tenant_id, id, version, create_time, update_time, delete_time, doc, json, owner_id, department_id, follower_ids, name_key, name_search, search, search_open, phone_digits, email_addresses, external_keys, label_ids, need_ids, tax_numbers, roles, cities, countries, lifecycle_stage, preferred_channel, language, time_zone, source_id, referrer_id, next_contact_date, given_name, family_name, position, company_id, birthday, birth_day, custom, facts, fact_last_contact_time, fact_last_in_time, fact_last_out_time, fact_last_request_time, fact_first_purchase_time, fact_last_purchase_time, fact_open_requests, fact_open_deals, fact_won_count, fact_open_cases, fact_open_deal_value, fact_revenue, fact_average_bill, fact_debt, fact_purchase_interval_days, fact_first_touch_time, fact_first_touch_utm_source, fact_first_touch_utm_medium, fact_first_touch_utm_campaign, fact_first_touch_landing_page, fact_first_touch_referrer, fact_first_touch_click_ids, fact_last_touch_time, fact_last_touch_utm_source, fact_last_touch_utm_medium, fact_last_touch_utm_campaign, fact_last_touch_landing_page, fact_last_touch_referrer, fact_last_touch_click_ids FROM contacts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON contacts_of_tenant TO {role};
