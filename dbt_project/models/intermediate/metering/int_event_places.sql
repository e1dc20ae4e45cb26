with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where usage_from_at < usage_to_at

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

{# up to which batch the newest close recorded the events of finalised periods #}
recorded_batches as (

    select
        unsettled.organization_id,
        unsettled.known_batch_id
    from {{ ref('stg_ledger__unsettled_usage') }} as unsettled
    where unsettled.is_newest and unsettled.code is null

),

restated as (

    select distinct restated_moments.period_moment_id
    from {{ ref('int_restated_moments') }} as restated_moments

),

subscription_spans as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.started_at) as first_started_at
    from {{ ref('int_subscriptions_started') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

),

{# the usage of every billing moment and, as an empty span, the end of time; each with the end of what lies before it #}
spans as (

    select
        spans.*,
        coalesce(
            max(spans.to_at) over (
                partition by spans.organization_id, spans.external_subscription_id
                order by spans.from_at
                rows between unbounded preceding and 1 preceding
            ), {{ beginning_of_time() }}
        ) as previous_to_at
    from (
        select
            moments.organization_id,
            moments.external_subscription_id,
            moments.usage_from_at as from_at,
            moments.usage_to_at as to_at
        from moments

        union all

        select
            subscription_spans.organization_id,
            subscription_spans.external_subscription_id,
            {{ end_of_time() }} + interval '1 day' as from_at,
            {{ end_of_time() }} + interval '1 day' as to_at
        from subscription_spans
    ) as spans

),

places as (

    select
        moments.organization_id,
        moments.external_subscription_id,
        moments.usage_from_at as from_at,
        moments.usage_to_at as to_at,
        moments.moment_id,
        moments.moment_state,
        restated.period_moment_id is not null as is_restated,
        case when moments.moment_state = 'finalized' then moments.known_batch_id end as finalized_batch_id,
        case
            when moments.moment_state = 'finalized'
                then greatest(moments.known_batch_id, recorded_batches.known_batch_id)
        end as recorded_batch_id,
        {# what becomes known later is late for a period that is billed; for another one it is pending #}
        case
            when moments.moment_state in ('due', 'skipped', 'finalized')
                then greatest(moments.finalizes_at, moments.usage_to_at)
            else close_scope.as_of + interval '1 microsecond'
        end as taken_to_at,
        cast(null as timestamp) as first_started_at
    from moments
    inner join close_scope
        on moments.organization_id = close_scope.organization_id
    left join recorded_batches
        on moments.organization_id = recorded_batches.organization_id
    left join restated
        on moments.moment_id = restated.period_moment_id

    union all

    select
        spans.organization_id,
        spans.external_subscription_id,
        spans.previous_to_at as from_at,
        spans.from_at as to_at,
        null as moment_id,
        'none' as moment_state,
        false as is_restated,
        null as finalized_batch_id,
        null as recorded_batch_id,
        close_scope.as_of + interval '1 microsecond' as taken_to_at,
        subscription_spans.first_started_at
    from spans
    inner join close_scope
        on spans.organization_id = close_scope.organization_id
    inner join subscription_spans
        on
            spans.organization_id = subscription_spans.organization_id
            and spans.external_subscription_id = subscription_spans.external_subscription_id
    where spans.previous_to_at < spans.from_at

)

{# the number stands for the place within one close: events are joined and grouped by it #}
select
    places.*,
    row_number() over (
        order by places.organization_id, places.external_subscription_id, places.from_at
    ) as place_number
from places
