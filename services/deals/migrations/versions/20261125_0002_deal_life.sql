CREATE TABLE deal_tasks (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    version BIGINT NOT NULL,
    deal_id UUID,
    is_open BOOLEAN NOT NULL,
    due_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, task_id)
);
CREATE INDEX ix_deal_tasks_open ON deal_tasks (tenant_id, deal_id, due_time) WHERE is_open;
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_tasks TO {role};
ALTER TABLE deal_tasks ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_tasks USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_tasks_of_tenant AS SELECT * FROM deal_tasks WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_tasks_of_tenant TO {role};
CREATE TABLE deal_task_types (
    tenant_id UUID NOT NULL,
    type_id UUID NOT NULL,
    version BIGINT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (tenant_id, type_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_task_types TO {role};
ALTER TABLE deal_task_types ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_task_types USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_task_types_of_tenant AS SELECT * FROM deal_task_types WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_task_types_of_tenant TO {role};
CREATE TABLE deal_touches (
    tenant_id UUID NOT NULL,
    deal_id UUID NOT NULL,
    way TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    user_id UUID,
    event_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, deal_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON deal_touches TO {role};
ALTER TABLE deal_touches ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_touches USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW deal_touches_of_tenant AS SELECT * FROM deal_touches WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON deal_touches_of_tenant TO {role};
