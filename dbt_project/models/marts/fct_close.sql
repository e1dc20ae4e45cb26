with

closes as (

    select * from {{ ref('closes') }}

),

organizations as (

    select * from {{ ref('ledger_close_organizations') }}

),

event_sums as (

    select
        fates.close_id,
        fates.organization_id,
        cast(sum(fates.events_count) as bigint) as known_events_count
    from {{ ref('ledger_event_fates') }} as fates
    group by fates.close_id, fates.organization_id

),

held_customers as (

    select
        held.close_id,
        held.organization_id,
        count(distinct held.external_customer_id) as held_customers_count
    from {{ ref('ledger_held_customers') }} as held
    group by held.close_id, held.organization_id

)

select
    closes.close_id,
    organizations.organization_id,
    closes.started_at,
    organizations.as_of,
    organizations.known_batch_id,
    closes.book_version,
    closes.code_version,
    closes.engine,
    organizations.override_reason,
    organizations.inputs_hash,
    organizations.outputs_hash,
    organizations.previous_close_hash,
    organizations.close_hash,
    organizations.invoices_count,
    coalesce(held_customers.held_customers_count, 0) as held_customers_count,
    coalesce(event_sums.known_events_count, 0) as known_events_count,
    row_number() over (
        partition by organizations.organization_id
        order by closes.close_id desc
    ) = 1 as is_newest
from closes
inner join organizations
    on closes.close_id = organizations.close_id
left join event_sums
    on
        closes.close_id = event_sums.close_id
        and organizations.organization_id = event_sums.organization_id
left join held_customers
    on
        closes.close_id = held_customers.close_id
        and organizations.organization_id = held_customers.organization_id
