-- A warehouse of an earlier version, of ours or of the engine, gets the hashes of ids that this one makes.
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
    )
