with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

billed_before as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'finalized'

),

moments as (

    select * from {{ ref('ledger_moments') }}
    where {{ is_close_open('close_id') }}

),

fates as (

    select * from {{ ref('int_event_fates') }}

)

{# decided once, with the moment: later closes do not count these events again #}
select
    moments.close_id,
    moments.moment_id,
    fates.organization_id,
    fates.external_subscription_id,
    fates.code,
    case when fates.fate = 'due' then 'billed' else fates.fate end as fate,
    cast(fates.events_count as bigint) as events_count
from moments
inner join fates
    on moments.moment_id = fates.moment_id

union all

{# what was landed after its period was finalised, decided by the first close that knows it #}
select
    close_scope.close_id,
    fates.moment_id,
    fates.organization_id,
    fates.external_subscription_id,
    fates.code,
    fates.fate,
    cast(fates.events_count as bigint) as events_count
from fates
inner join billed_before
    on fates.moment_id = billed_before.moment_id
inner join close_scope
    on fates.organization_id = close_scope.organization_id
where fates.fate <> 'finalized'
