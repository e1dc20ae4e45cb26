with

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

pauses as (

    select * from {{ ref('stg_book__subscription_pauses') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

{# when a pause ends is known when it has ended: until then it is open #}
begun as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.timezone_history,
        pauses.paused_from_at,
        case
            when pauses.paused_to_at <= subscriptions.as_of then pauses.paused_to_at
            else {{ end_of_time() }}
        end as paused_to_at
    from subscriptions
    inner join pauses
        on
            subscriptions.organization_id = pauses.organization_id
            and subscriptions.external_subscription_id = pauses.external_subscription_id
            and subscriptions.created_at = pauses.created_at
            and subscriptions.as_of >= pauses.paused_from_at

)

{# a day in which the subscription ran at all is no day of the pause #}
select
    begun.organization_id,
    begun.external_subscription_id,
    begun.created_at,
    begun.paused_from_at,
    begun.paused_to_at,
    cast(
        {{ add_days(
            to_local_date(
                "(begun.paused_from_at - interval '1 microsecond')", 'from_offsets.utc_offset_seconds'
            ), 1
        ) }} as date
    ) as first_paused_date,
    case
        when to_offsets.timezone is not null
            then {{ add_days(to_local_date('begun.paused_to_at', 'to_offsets.utc_offset_seconds'), -1) }}
    end as last_paused_date
from begun
inner join local_offsets as from_offsets
    on
        begun.timezone_history = from_offsets.timezone_history
        and begun.paused_from_at >= from_offsets.valid_from_at
        and begun.paused_from_at < from_offsets.valid_to_at
left join local_offsets as to_offsets
    on
        begun.timezone_history = to_offsets.timezone_history
        and begun.paused_to_at >= to_offsets.valid_from_at
        and begun.paused_to_at < to_offsets.valid_to_at
