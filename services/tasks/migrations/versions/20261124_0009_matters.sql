CREATE TABLE day_matters (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    deal_id UUID,
    contact_id UUID,
    company_id UUID,
    owner_id UUID,
    department_id UUID,
    follower_ids UUID[] NOT NULL,
    step_date DATE,
    promise_date DATE,
    ask_date DATE,
    expire_date DATE,
    overdue_date DATE,
    renew_date DATE,
    PRIMARY KEY (tenant_id, object, id)
);
CREATE INDEX ix_day_matters_ask ON day_matters (tenant_id, owner_id, ask_date, id) WHERE ask_date IS NOT NULL;
CREATE INDEX ix_day_matters_contact ON day_matters (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_day_matters_expire ON day_matters (tenant_id, owner_id, expire_date, id) WHERE expire_date IS NOT NULL;
CREATE INDEX ix_day_matters_overdue ON day_matters (tenant_id, owner_id, overdue_date, id) WHERE overdue_date IS NOT NULL;
CREATE INDEX ix_day_matters_promise ON day_matters (tenant_id, owner_id, promise_date, id) WHERE promise_date IS NOT NULL;
CREATE INDEX ix_day_matters_renew ON day_matters (tenant_id, owner_id, renew_date, id) WHERE renew_date IS NOT NULL;
CREATE INDEX ix_day_matters_step ON day_matters (tenant_id, owner_id, step_date, id) WHERE step_date IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON day_matters TO {role};
ALTER TABLE day_matters ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON day_matters USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW day_matters_of_tenant AS SELECT * FROM day_matters WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON day_matters_of_tenant TO {role};
CREATE TABLE day_price_lists (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    publish_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON day_price_lists TO {role};
ALTER TABLE day_price_lists ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON day_price_lists USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW day_price_lists_of_tenant AS SELECT * FROM day_price_lists WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON day_price_lists_of_tenant TO {role};
