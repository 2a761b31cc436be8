CREATE TABLE measurements (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    deal_id UUID NOT NULL,
    version BIGINT NOT NULL,
    numbers TEXT NOT NULL,
    PRIMARY KEY (tenant_id, task_id)
);
CREATE INDEX ix_measurements_deal ON measurements (tenant_id, deal_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON measurements TO {role};
ALTER TABLE measurements ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON measurements USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW measurements_of_tenant AS SELECT * FROM measurements WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON measurements_of_tenant TO {role};
CREATE TABLE price_lists (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    list_group TEXT NOT NULL,
    currency TEXT NOT NULL,
    state SMALLINT NOT NULL,
    from_date DATE NOT NULL,
    until_date DATE NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_price_lists_create_time ON price_lists (tenant_id, create_time, id);
CREATE INDEX ix_price_lists_from_date ON price_lists (tenant_id, from_date, id);
CREATE INDEX ix_price_lists_name_key ON price_lists (tenant_id, name_key, id);
CREATE INDEX ix_price_lists_name_search ON price_lists USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_price_lists_name_search_prefix ON price_lists (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_price_lists_until_date ON price_lists (tenant_id, until_date, id);
CREATE INDEX ix_price_lists_update_time ON price_lists (tenant_id, update_time, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON price_lists TO {role};
ALTER TABLE price_lists ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON price_lists USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW price_lists_of_tenant AS SELECT * FROM price_lists WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON price_lists_of_tenant TO {role};
CREATE TABLE price_lists_history (
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
CREATE INDEX ix_price_lists_history_valid ON price_lists_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON price_lists_history TO {role};
ALTER TABLE price_lists_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON price_lists_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE prices (
    tenant_id UUID NOT NULL,
    list_id UUID NOT NULL,
    product_id UUID NOT NULL,
    from_quantity NUMERIC NOT NULL,
    unit_price NUMERIC NOT NULL,
    list_group TEXT NOT NULL,
    currency TEXT NOT NULL,
    tax_included BOOLEAN NOT NULL,
    party SMALLINT NOT NULL,
    label_ids UUID[] NOT NULL,
    from_date DATE NOT NULL,
    until_date DATE NOT NULL,
    publish_time TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, list_id, product_id, from_quantity)
);
CREATE INDEX ix_prices_product ON prices (tenant_id, product_id, currency);
GRANT SELECT, INSERT, UPDATE, DELETE ON prices TO {role};
ALTER TABLE prices ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON prices USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW prices_of_tenant AS SELECT * FROM prices WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON prices_of_tenant TO {role};
CREATE TABLE product_families (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_product_families_create_time ON product_families (tenant_id, create_time, id);
CREATE INDEX ix_product_families_name_key ON product_families (tenant_id, name_key, id);
CREATE INDEX ix_product_families_name_search ON product_families USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_product_families_name_search_prefix ON product_families (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_product_families_position ON product_families (tenant_id, position, id);
CREATE INDEX ix_product_families_update_time ON product_families (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_product_families_name ON product_families (tenant_id, name_search) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON product_families TO {role};
ALTER TABLE product_families ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON product_families USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW product_families_of_tenant AS SELECT * FROM product_families WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON product_families_of_tenant TO {role};
CREATE TABLE product_families_history (
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
CREATE INDEX ix_product_families_history_valid ON product_families_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON product_families_history TO {role};
ALTER TABLE product_families_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON product_families_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE products (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    sku TEXT NOT NULL,
    sku_key TEXT NOT NULL,
    name_key TEXT NOT NULL,
    search TEXT NOT NULL,
    family_id UUID,
    tax_class_id UUID,
    external_ids TEXT[] NOT NULL,
    retired BOOLEAN NOT NULL,
    custom JSONB NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_products_create_time ON products (tenant_id, create_time, id);
CREATE INDEX ix_products_custom ON products USING gin (custom jsonb_path_ops);
CREATE INDEX ix_products_external_ids ON products USING gin (external_ids);
CREATE INDEX ix_products_family ON products (tenant_id, family_id);
CREATE INDEX ix_products_name_key ON products (tenant_id, name_key, id);
CREATE INDEX ix_products_search ON products USING gin (search gin_trgm_ops);
CREATE INDEX ix_products_search_prefix ON products (tenant_id, left(search, 64) text_pattern_ops);
CREATE INDEX ix_products_sku_key ON products (tenant_id, sku_key, id);
CREATE INDEX ix_products_tax_class ON products (tenant_id, tax_class_id);
CREATE INDEX ix_products_update_time ON products (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_products_sku ON products (tenant_id, sku_key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON products TO {role};
ALTER TABLE products ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON products USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW products_of_tenant AS SELECT * FROM products WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON products_of_tenant TO {role};
CREATE TABLE products_history (
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
CREATE INDEX ix_products_history_valid ON products_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON products_history TO {role};
ALTER TABLE products_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON products_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TABLE tax_classes (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMP WITH TIME ZONE NOT NULL,
    update_time TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_time TIMESTAMP WITH TIME ZONE,
    doc BYTEA NOT NULL,
    json TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name_search TEXT NOT NULL,
    position INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_tax_classes_create_time ON tax_classes (tenant_id, create_time, id);
CREATE INDEX ix_tax_classes_name_key ON tax_classes (tenant_id, name_key, id);
CREATE INDEX ix_tax_classes_name_search ON tax_classes USING gin (name_search gin_trgm_ops);
CREATE INDEX ix_tax_classes_name_search_prefix ON tax_classes (tenant_id, left(name_search, 64) text_pattern_ops);
CREATE INDEX ix_tax_classes_position ON tax_classes (tenant_id, position, id);
CREATE INDEX ix_tax_classes_update_time ON tax_classes (tenant_id, update_time, id);
CREATE UNIQUE INDEX uq_tax_classes_key ON tax_classes (tenant_id, key) WHERE delete_time IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON tax_classes TO {role};
ALTER TABLE tax_classes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tax_classes USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE VIEW tax_classes_of_tenant AS SELECT * FROM tax_classes WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid;
GRANT SELECT ON tax_classes_of_tenant TO {role};
CREATE TABLE tax_classes_history (
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
CREATE INDEX ix_tax_classes_history_valid ON tax_classes_history (tenant_id, valid_from, valid_to);
GRANT SELECT, INSERT, UPDATE, DELETE ON tax_classes_history TO {role};
ALTER TABLE tax_classes_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tax_classes_history USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid) WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
