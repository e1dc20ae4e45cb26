with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

fates as (

    select * from {{ ref('int_event_fates') }}
    where fate <> 'finalized'

),

moments as (

    select * from {{ ref('ledger_moments') }}

),

recorded as (

    select * from {{ ref('stg_ledger__moment_fates') }}

),

{# a due event is billed by this close when its moment was finalised, else its customer was held #}
decided as (

    select
        close_scope.close_id,
        fates.organization_id,
        fates.external_subscription_id,
        fates.code,
        case
            when fates.fate = 'due' and moments.moment_id is not null then 'billed'
            when fates.fate = 'due' then 'held'
            when fates.fate = 'running' then 'pending'
            else fates.fate
        end as fate,
        fates.events_count
    from fates
    inner join close_scope
        on fates.organization_id = close_scope.organization_id
    left join moments
        on
            fates.moment_id = moments.moment_id
            and close_scope.close_id = moments.close_id

    union all

    select
        close_scope.close_id,
        recorded.organization_id,
        recorded.external_subscription_id,
        recorded.code,
        recorded.fate,
        recorded.events_count
    from recorded
    inner join close_scope
        on recorded.organization_id = close_scope.organization_id

)

select
    decided.close_id,
    decided.organization_id,
    decided.external_subscription_id,
    decided.code,
    decided.fate,
    cast(sum(decided.events_count) as bigint) as events_count
from decided
group by
    decided.close_id,
    decided.organization_id,
    decided.external_subscription_id,
    decided.code,
    decided.fate
