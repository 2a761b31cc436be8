CREATE TABLE webhook_counts (
    tenant_id UUID NOT NULL,
    connection_id UUID NOT NULL,
    sender_hash TEXT NOT NULL,
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, sender_hash, minute)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_counts TO {role};
ALTER TABLE webhook_counts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON webhook_counts USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW webhook_counts_of_tenant AS SELECT * FROM webhook_counts WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON webhook_counts_of_tenant TO {role};
