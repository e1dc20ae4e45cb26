-- The working tables of one landing transaction, in the DuckDB that parses.
create or replace temp table landing_organizations (organization_id varchar);

create or replace temp table landing_parsed (
    file_id bigint,
    line_number bigint,
    organization_id varchar,
    external_subscription_id varchar,
    transaction_id varchar,
    code varchar,
    event_at timestamp,
    received_at timestamp,
    properties varchar,
    precise_total_amount_cents decimal(38, 12),
    key_hash bigint,
    is_doubtful boolean,
    line varchar,
    raw varchar,
    problem varchar
);

create or replace temp table landing_rejected (
    file_id bigint, line_number bigint, reason_code varchar, reason varchar, raw_text varchar
);

create or replace temp view landing_incoming as
select * exclude (is_doubtful, line, raw, problem) from landing_parsed where not is_doubtful;

-- the events with what the catalogue reads of them
create or replace temp view landing_extracted as
{{ extracted }}
