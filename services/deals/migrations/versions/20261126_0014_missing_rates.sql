ALTER TABLE deals ALTER COLUMN base_amount DROP NOT NULL;
CREATE INDEX ix_deals_unconverted ON deals (tenant_id, currency, id) WHERE base_amount IS NULL;
ALTER TABLE deal_sums ADD COLUMN unconverted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deal_sums ALTER COLUMN unconverted DROP DEFAULT;
DROP VIEW deal_sums_of_tenant;
CREATE VIEW deal_sums_of_tenant AS SELECT * FROM deal_sums WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_sums_of_tenant TO {role};
CREATE INDEX ix_sales_facts_contact ON sales_facts (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_sales_facts_company ON sales_facts (tenant_id, company_id) WHERE company_id IS NOT NULL;
