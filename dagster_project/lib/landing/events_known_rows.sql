-- The events landed before that a line may repeat, found by the hash of their id; in DuckDB, which has no index to ask.
-- a warehouse of an earlier version, of ours or of the engine, gets the hashes of this one first
update {{ raw }}.usage_events
set key_hash = landing_key_hash(organization_id, external_subscription_id, transaction_id)
where key_hash is null
    or exists (
        select 1
        from (
            select
                key_hash,
                landing_key_hash(organization_id, external_subscription_id, transaction_id) as hashed_now
            from {{ raw }}.usage_events
            limit 1
        ) as one
        where one.key_hash <> one.hashed_now
    );

create temp table landing_known as
select *
from {{ raw }}.usage_events
where rowid in (
    select rowid from {{ raw }}.usage_events where key_hash in (select key_hash from landing_incoming)
)
