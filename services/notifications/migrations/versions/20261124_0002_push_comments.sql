CREATE TABLE comments (
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
    object TEXT NOT NULL,
    object_id UUID NOT NULL,
    origin_id UUID,
    reply_to_id UUID,
    author_id UUID,
    contact_ids UUID[] NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_comments_contacts ON comments USING gin (contact_ids);
CREATE INDEX ix_comments_create_time ON comments (tenant_id, create_time, id);
CREATE INDEX ix_comments_department ON comments (tenant_id, department_id, create_time, id) WHERE owner_id IS NULL;
CREATE INDEX ix_comments_followers ON comments USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_comments_object ON comments (tenant_id, object_id, create_time, id);
CREATE INDEX ix_comments_owner_create_time ON comments (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_comments_owner_update_time ON comments (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_comments_search ON comments USING gin (search gin_trgm_ops);
CREATE INDEX ix_comments_search_prefix ON comments (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_comments_update_time ON comments (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON comments TO {role};
ALTER TABLE comments ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON comments USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW comments_of_tenant AS SELECT * FROM comments WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON comments_of_tenant TO {role};
CREATE TABLE comments_history (
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
CREATE INDEX ix_comments_history_valid ON comments_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON comments_history TO {role};
ALTER TABLE comments_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON comments_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE comment_records (
    tenant_id UUID NOT NULL,
    object TEXT NOT NULL,
    object_id UUID NOT NULL,
    version BIGINT NOT NULL,
    owner_id UUID,
    department_id UUID,
    follower_ids UUID[] NOT NULL,
    contact_ids UUID[] NOT NULL,
    company_ids UUID[] NOT NULL,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, object, object_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON comment_records TO {role};
ALTER TABLE comment_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON comment_records USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW comment_records_of_tenant AS SELECT * FROM comment_records WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON comment_records_of_tenant TO {role};
CREATE TABLE push_subscriptions (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_push_subscriptions_create_time ON push_subscriptions (tenant_id, create_time, id);
CREATE INDEX ix_push_subscriptions_owner_create_time ON push_subscriptions (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_push_subscriptions_owner_update_time ON push_subscriptions (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_push_subscriptions_update_time ON push_subscriptions (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON push_subscriptions TO {role};
ALTER TABLE push_subscriptions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON push_subscriptions USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW push_subscriptions_of_tenant AS SELECT * FROM push_subscriptions WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON push_subscriptions_of_tenant TO {role};
CREATE TABLE push_subscriptions_history (
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
CREATE INDEX ix_push_subscriptions_history_valid ON push_subscriptions_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON push_subscriptions_history TO {role};
ALTER TABLE push_subscriptions_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON push_subscriptions_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE push_addresses (
    tenant_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    owner_id UUID NOT NULL,
    hash BYTEA NOT NULL,
    endpoint TEXT NOT NULL,
    p256dh BYTEA NOT NULL,
    auth BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, subscription_id)
);
CREATE INDEX ix_push_addresses_owner ON push_addresses (tenant_id, owner_id);
CREATE UNIQUE INDEX uq_push_addresses_hash ON push_addresses (tenant_id, hash);
GRANT SELECT, INSERT, UPDATE, DELETE ON push_addresses TO {role};
ALTER TABLE push_addresses ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON push_addresses USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW push_addresses_of_tenant AS SELECT * FROM push_addresses WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON push_addresses_of_tenant TO {role};
CREATE TABLE push_sent (
    tenant_id UUID NOT NULL,
    notice_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, notice_id, subscription_id)
);
CREATE INDEX ix_push_sent_time ON push_sent (tenant_id, time);
GRANT SELECT, INSERT, UPDATE, DELETE ON push_sent TO {role};
ALTER TABLE push_sent ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON push_sent USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW push_sent_of_tenant AS SELECT * FROM push_sent WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON push_sent_of_tenant TO {role};
