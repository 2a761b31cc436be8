CREATE TABLE meetings (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    owner_id UUID,
    follower_ids UUID[] NOT NULL,
    person_ids UUID[] NOT NULL,
    contact_ids UUID[] NOT NULL,
    contact_id UUID,
    company_id UUID,
    state SMALLINT NOT NULL,
    start_time TIMESTAMP WITH TIME ZONE NOT NULL,
    first_time TIMESTAMP WITH TIME ZONE NOT NULL,
    last_time TIMESTAMP WITH TIME ZONE NOT NULL,
    search TEXT NOT NULL,
    search_open TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_meetings_company ON meetings (tenant_id, company_id, start_time, id) WHERE company_id IS NOT NULL;
CREATE INDEX ix_meetings_contacts ON meetings USING gin (contact_ids) WHERE contact_ids <> '{}';
CREATE INDEX ix_meetings_create_time ON meetings (tenant_id, create_time, id);
CREATE INDEX ix_meetings_followers ON meetings USING gin (follower_ids) WHERE follower_ids != '{}';
CREATE INDEX ix_meetings_last_time ON meetings (tenant_id, last_time);
CREATE INDEX ix_meetings_owner_create_time ON meetings (tenant_id, owner_id, create_time, id) INCLUDE (delete_time);
CREATE INDEX ix_meetings_owner_start_time ON meetings (tenant_id, owner_id, start_time, id) INCLUDE (delete_time);
CREATE INDEX ix_meetings_owner_update_time ON meetings (tenant_id, owner_id, update_time, id) INCLUDE (delete_time);
CREATE INDEX ix_meetings_people ON meetings USING gin (person_ids) WITH (fastupdate = off);
CREATE INDEX ix_meetings_search ON meetings USING gin (search gin_trgm_ops);
CREATE INDEX ix_meetings_search_prefix ON meetings (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_meetings_start_time ON meetings (tenant_id, start_time, id);
CREATE INDEX ix_meetings_update_time ON meetings (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON meetings TO {role};
ALTER TABLE meetings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON meetings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW meetings_of_tenant AS SELECT * FROM meetings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON meetings_of_tenant TO {role};
CREATE TABLE meetings_history (
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
CREATE INDEX ix_meetings_history_valid ON meetings_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON meetings_history TO {role};
ALTER TABLE meetings_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON meetings_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE calendar_links (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    key_hash TEXT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE UNIQUE INDEX uq_calendar_links_key ON calendar_links (tenant_id, key_hash);
GRANT SELECT, INSERT, UPDATE, DELETE ON calendar_links TO {role};
ALTER TABLE calendar_links ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON calendar_links USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW calendar_links_of_tenant AS SELECT * FROM calendar_links WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON calendar_links_of_tenant TO {role};
CREATE TABLE task_series (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    first_time TIMESTAMP WITH TIME ZONE NOT NULL,
    planned_time TIMESTAMP WITH TIME ZONE NOT NULL,
    template_id UUID NOT NULL,
    template_version BIGINT NOT NULL,
    next_id UUID,
    PRIMARY KEY (tenant_id, task_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON task_series TO {role};
ALTER TABLE task_series ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_series USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW task_series_of_tenant AS SELECT * FROM task_series WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON task_series_of_tenant TO {role};
