with

moments as (

    select * from {{ ref('ledger_moments') }}
    where {{ is_close_open('close_id') }}

),

fates as (

    select * from {{ ref('int_event_fates') }}

)

{# decided once, with the moment: later closes do not read these events again #}
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
