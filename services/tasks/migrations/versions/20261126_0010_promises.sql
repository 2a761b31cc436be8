CREATE TABLE task_promises (
    tenant_id UUID NOT NULL,
    deal_id UUID NOT NULL,
    version BIGINT NOT NULL,
    owner_id UUID,
    promise_time TIMESTAMP WITH TIME ZONE,
    task_id UUID,
    task_time TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, deal_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_promises TO {role};
ALTER TABLE task_promises ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_promises USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_promises_of_tenant AS SELECT * FROM task_promises WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_promises_of_tenant TO {role};
