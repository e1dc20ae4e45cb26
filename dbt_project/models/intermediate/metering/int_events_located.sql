with

usage_events as (

    select * from {{ ref('stg_events__usage_events') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

moments as (

    select * from {{ ref('int_billing_moments') }}

),

subscription_spans as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.started_at) as first_started_at
    from {{ ref('int_subscriptions_started') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

),

metered_codes as (

    {# one row per moment and event code, however many charges read the code #}
    select distinct
        metered_charges.moment_id,
        metered_charges.event_code
    from {{ ref('int_metered_charges') }} as metered_charges

),

metric_codes as (

    {# one row per event code, however many metrics read it #}
    select distinct
        metric_versions.organization_id,
        metric_versions.event_code
    from {{ ref('int_metric_versions') }} as metric_versions

),

placed as (

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id,
        usage_events.code,
        usage_events.event_at,
        usage_events.properties,
        usage_events.batch_id,
        usage_events.file_id,
        usage_events.line_number,
        moments.moment_id,
        {#
          What is in a finalised period and was known then keeps the fate that its close recorded
          (ledger_moment_fates). Late is what became known at or after its billing moment, or was landed after it.
        #}
        case
            when moments.moment_state = 'finalized' and usage_events.batch_id <= moments.known_batch_id
                then 'finalized'
            when metric_codes.event_code is null then 'no_metric'
            when subscription_spans.external_subscription_id is null then 'no_subscription'
            when moments.moment_id is null and usage_events.event_at < subscription_spans.first_started_at
                then 'before_subscription'
            when
                coalesce(moments.moment_state, 'none') in ('none', 'running')
                and greatest(usage_events.event_at, coalesce(usage_events.received_at, usage_events.event_at))
                > close_scope.as_of
                then 'pending'
            when moments.moment_id is null then 'outside_billed_periods'
            when moments.moment_state = 'finalized' then 'late'
            when metered_codes.event_code is null then 'no_charge'
            when
                moments.moment_state = 'due'
                and coalesce(usage_events.received_at, usage_events.event_at) >= moments.billing_at
                then 'late'
            else moments.moment_state
        end as fate
    from usage_events
    inner join close_scope
        on
            usage_events.organization_id = close_scope.organization_id
            and usage_events.batch_id <= close_scope.known_batch_id
    left join moments
        on
            usage_events.organization_id = moments.organization_id
            and usage_events.external_subscription_id = moments.external_subscription_id
            and usage_events.event_at >= moments.usage_from_at
            and usage_events.event_at < moments.usage_to_at
    left join subscription_spans
        on
            usage_events.organization_id = subscription_spans.organization_id
            and usage_events.external_subscription_id = subscription_spans.external_subscription_id
    left join metric_codes
        on
            usage_events.organization_id = metric_codes.organization_id
            and usage_events.code = metric_codes.event_code
    left join metered_codes
        on
            moments.moment_id = metered_codes.moment_id
            and usage_events.code = metered_codes.event_code

)

select
    placed.organization_id,
    placed.external_subscription_id,
    placed.transaction_id,
    placed.code,
    placed.event_at,
    {# only events that are metered now need their properties #}
    case when placed.fate in ('due', 'running') then placed.properties end as properties,
    placed.batch_id,
    placed.file_id,
    placed.line_number,
    placed.moment_id,
    placed.fate
from placed
