select
    cast(null as varchar) as moment_id,
    cast(null as varchar) as credited_moment_id,
    cast(null as bigint) as plan_amount_cents,
    cast(null as integer) as unused_days_count,
    cast(null as integer) as full_days_count,
    cast(null as varchar) as policy,
    cast(null as timestamp) as issued_at
where false
