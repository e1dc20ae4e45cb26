with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

finalized as (

    select * from {{ ref('ledger_moments') }}

),

{# periods that this close leaves open: running, in grace, and due ones of customers that wait #}
open_moments as (

    select
        moments.organization_id,
        min(moments.usage_from_at) as open_from_at
    from {{ ref('int_billing_moments') }} as moments
    left join finalized
        on moments.moment_id = finalized.moment_id
    where moments.usage_from_at < moments.usage_to_at and finalized.moment_id is null
    group by moments.organization_id

),

{# events outside of every period: a later subscription, plan or metric may find them a place #}
loose_codes as (

    select
        totals.organization_id,
        totals.external_subscription_id,
        totals.code,
        min(totals.first_event_at) as open_from_at,
        max(totals.last_event_at) as open_to_at
    from {{ ref('int_event_totals') }} as totals
    where totals.moment_id is null
    group by totals.organization_id, totals.external_subscription_id, totals.code

)

select
    close_scope.close_id,
    close_scope.organization_id,
    cast(null as varchar) as external_subscription_id,
    cast(null as varchar) as code,
    coalesce(open_moments.open_from_at, {{ end_of_time() }}) as open_from_at,
    cast(null as timestamp) as open_to_at,
    close_scope.known_batch_id
from close_scope
left join open_moments
    on close_scope.organization_id = open_moments.organization_id

union all

select
    close_scope.close_id,
    close_scope.organization_id,
    loose_codes.external_subscription_id,
    loose_codes.code,
    loose_codes.open_from_at,
    {# the instant after the last one, as ends of spans are #}
    loose_codes.open_to_at + interval '1 microsecond' as open_to_at,
    close_scope.known_batch_id
from close_scope
inner join loose_codes
    on close_scope.organization_id = loose_codes.organization_id
