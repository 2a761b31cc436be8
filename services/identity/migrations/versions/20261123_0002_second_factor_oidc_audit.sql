CREATE TABLE second_factors (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    sealed BYTEA NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    confirm_time TIMESTAMP WITH TIME ZONE,
    last_step BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors TO {role};
ALTER TABLE second_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON second_factors USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW second_factors_of_tenant AS SELECT * FROM second_factors WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON second_factors_of_tenant TO {role};
CREATE TABLE recovery_codes (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, user_id, hash)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_codes TO {role};
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON recovery_codes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW recovery_codes_of_tenant AS SELECT * FROM recovery_codes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON recovery_codes_of_tenant TO {role};
CREATE TABLE audit_entries (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    actor JSONB NOT NULL,
    user_id UUID,
    session_id UUID,
    object TEXT NOT NULL,
    object_id UUID,
    details JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_audit_entries_kind ON audit_entries (tenant_id, kind, time, id);
CREATE INDEX ix_audit_entries_object ON audit_entries (tenant_id, object_id, time, id);
CREATE INDEX ix_audit_entries_time ON audit_entries (tenant_id, time, id);
CREATE INDEX ix_audit_entries_user ON audit_entries (tenant_id, user_id, time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_entries TO {role};
ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_entries USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW audit_entries_of_tenant AS SELECT * FROM audit_entries WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON audit_entries_of_tenant TO {role};
CREATE TABLE audit_addresses (
    tenant_id UUID NOT NULL,
    entry_id UUID NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (tenant_id, entry_id)
);
CREATE INDEX ix_audit_addresses_time ON audit_addresses (tenant_id, time);
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_addresses TO {role};
ALTER TABLE audit_addresses ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_addresses USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW audit_addresses_of_tenant AS SELECT * FROM audit_addresses WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON audit_addresses_of_tenant TO {role};
CREATE TABLE viewings (
    tenant_id UUID NOT NULL,
    session_id UUID NOT NULL,
    user_id UUID NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, session_id, user_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON viewings TO {role};
ALTER TABLE viewings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON viewings USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW viewings_of_tenant AS SELECT * FROM viewings WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON viewings_of_tenant TO {role};
CREATE TABLE identity_providers (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    key TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_identity_providers_create_time ON identity_providers (tenant_id, create_time, id);
CREATE INDEX ix_identity_providers_name_key ON identity_providers (tenant_id, name_key, id);
CREATE INDEX ix_identity_providers_name_search ON identity_providers USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_identity_providers_name_search_prefix ON identity_providers (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_identity_providers_update_time ON identity_providers (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_identity_providers_key ON identity_providers (tenant_id, key);
GRANT SELECT, INSERT, UPDATE, DELETE ON identity_providers TO {role};
ALTER TABLE identity_providers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON identity_providers USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW identity_providers_of_tenant AS SELECT * FROM identity_providers WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON identity_providers_of_tenant TO {role};
CREATE TABLE identity_providers_history (
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
CREATE INDEX ix_identity_providers_history_valid ON identity_providers_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON identity_providers_history TO {role};
ALTER TABLE identity_providers_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON identity_providers_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE client_secrets (
    tenant_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, provider_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON client_secrets TO {role};
ALTER TABLE client_secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON client_secrets USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW client_secrets_of_tenant AS SELECT * FROM client_secrets WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON client_secrets_of_tenant TO {role};
CREATE TABLE provider_sign_ins (
    tenant_id UUID NOT NULL,
    hash BYTEA NOT NULL,
    provider_id UUID NOT NULL,
    browser_hash BYTEA NOT NULL,
    return_path TEXT NOT NULL,
    expire_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX ix_provider_sign_ins_expire ON provider_sign_ins (tenant_id, expire_time);
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_sign_ins TO {role};
ALTER TABLE provider_sign_ins ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provider_sign_ins USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW provider_sign_ins_of_tenant AS SELECT * FROM provider_sign_ins WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON provider_sign_ins_of_tenant TO {role};
CREATE TABLE linked_identities (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    use_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_linked_identities_user ON linked_identities (tenant_id, user_id, id);
CREATE UNIQUE INDEX uq_linked_identities_subject ON linked_identities (tenant_id, issuer, subject);
GRANT SELECT, INSERT, UPDATE, DELETE ON linked_identities TO {role};
ALTER TABLE linked_identities ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON linked_identities USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW linked_identities_of_tenant AS SELECT * FROM linked_identities WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON linked_identities_of_tenant TO {role};
CREATE FUNCTION public.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN RAISE EXCEPTION 'audit entries are only added'; END $body$;
CREATE TRIGGER refuse_audit_change AFTER UPDATE OR DELETE ON public.audit_entries FOR EACH ROW EXECUTE FUNCTION public.refuse_audit_change();
