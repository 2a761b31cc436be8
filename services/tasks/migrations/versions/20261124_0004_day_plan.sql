CREATE TABLE day_parties (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    owner_id UUID,
    follower_ids UUID[] NOT NULL,
    birth_day SMALLINT NOT NULL,
    birth_year SMALLINT NOT NULL,
    next_contact_date DATE,
    touch_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, object, id)
);
CREATE INDEX ix_day_parties_birth ON day_parties (tenant_id, owner_id, birth_day, id) WHERE owner_id IS NOT NULL AND birth_day > 0;
CREATE INDEX ix_day_parties_next ON day_parties (tenant_id, owner_id, next_contact_date, id) WHERE owner_id IS NOT NULL AND next_contact_date IS NOT NULL;
CREATE INDEX ix_day_parties_touch ON day_parties (tenant_id, owner_id, touch_time, id) WHERE owner_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON day_parties TO {role};
ALTER TABLE day_parties ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON day_parties USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW day_parties_of_tenant AS SELECT * FROM day_parties WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON day_parties_of_tenant TO {role};
CREATE TABLE day_agreements (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    contact_id UUID,
    company_id UUID,
    assignee_id UUID,
    date DATE NOT NULL,
    owner_id UUID,
    department_id UUID,
    follower_ids UUID[] NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_day_agreements_assignee ON day_agreements (tenant_id, assignee_id, date, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX ix_day_agreements_company ON day_agreements (tenant_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_day_agreements_contact ON day_agreements (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON day_agreements TO {role};
ALTER TABLE day_agreements ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON day_agreements USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW day_agreements_of_tenant AS SELECT * FROM day_agreements WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON day_agreements_of_tenant TO {role};
CREATE TABLE day_mornings (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    date DATE NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON day_mornings TO {role};
ALTER TABLE day_mornings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON day_mornings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW day_mornings_of_tenant AS SELECT * FROM day_mornings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON day_mornings_of_tenant TO {role};
CREATE INDEX ix_tasks_day ON tasks (tenant_id, owner_id, due_key, id) INCLUDE (department_id, project_id, contact_id, company_id) WHERE state = 1 AND delete_time IS NULL;
