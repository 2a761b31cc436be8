CREATE TABLE deal_change_items (
    tenant_id UUID NOT NULL,
    change_id UUID NOT NULL,
    number INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, change_id, number)
);
CREATE INDEX ix_deal_change_items_state ON deal_change_items (tenant_id, change_id, state, number);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_change_items TO {role};
ALTER TABLE deal_change_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_change_items USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_change_items_of_tenant AS SELECT * FROM deal_change_items WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_change_items_of_tenant TO {role};
CREATE TABLE deal_changes (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    state SMALLINT NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_deal_changes_create_time ON deal_changes (tenant_id, create_time, id);
CREATE INDEX ix_deal_changes_owner_create_time ON deal_changes (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deal_changes_owner_update_time ON deal_changes (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_deal_changes_update_time ON deal_changes (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_changes TO {role};
ALTER TABLE deal_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_changes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_changes_of_tenant AS SELECT * FROM deal_changes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_changes_of_tenant TO {role};
CREATE TABLE deal_changes_history (
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
CREATE INDEX ix_deal_changes_history_valid ON deal_changes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_changes_history TO {role};
ALTER TABLE deal_changes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_changes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE deal_sums (
    tenant_id UUID NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    pipeline_id UUID,
    stage_id UUID,
    owner_id UUID,
    department_id UUID,
    currency TEXT NOT NULL,
    probability SMALLINT,
    count INTEGER NOT NULL,
    amount NUMERIC NOT NULL,
    base_amount NUMERIC NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX ix_deal_sums_stage ON deal_sums (tenant_id, pipeline_id, stage_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_sums TO {role};
ALTER TABLE deal_sums ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_sums USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_sums_of_tenant AS SELECT * FROM deal_sums WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_sums_of_tenant TO {role};
ALTER TABLE deals ADD COLUMN credit_owner_id UUID, ADD COLUMN credit_department_id UUID, ADD COLUMN touch_way TEXT;
UPDATE deals SET touch_way = coalesce(json::jsonb #>> '{ending,lastTouch,way}', ''), credit_owner_id = (json::jsonb #>> '{ending,ownerId}')::uuid, credit_department_id = (json::jsonb #>> '{ending,departmentId}')::uuid;
ALTER TABLE deals ALTER COLUMN touch_way SET NOT NULL;
DROP VIEW deals_of_tenant;
CREATE VIEW deals_of_tenant AS SELECT tenant_id, id, version, create_time, update_time, delete_time, doc, json, owner_id, department_id, follower_ids, pipeline_id, stage_id, state, contact_id, company_id, party_ids, currency, amount, base_amount, expected_key, promise_key, source_id, method_id, request_ids, label_ids, probability, stage_time, activity_time, idle_key, next_task_key, next_task_id, end_time, reason_id, end_stage_id, competitor, ask_again_date, blocked_stage_id, order_key, external_ids, search, title_key, search_open, credit_owner_id, credit_department_id, touch_way, custom FROM deals WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deals_of_tenant TO {role};
