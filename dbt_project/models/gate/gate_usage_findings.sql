{# Sources that have not landed, events without a key, and events that were counted but are on no line. #}
with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'due'

),

started as (

    select * from {{ ref('int_subscriptions_started') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

{# only files with such an event are looked at again #}
keyless_files as (

    select distinct events_counted.file_id
    from {{ ref('gate_events_counted') }} as events_counted
    where events_counted.keyed_events_count <> events_counted.events_count

),

subscribers as (

    select
        started.organization_id,
        started.external_subscription_id,
        min(started.external_customer_id) as external_customer_id
    from started
    group by started.organization_id, started.external_subscription_id

),

missing_sources as (

    select
        completeness.organization_id,
        completeness.expected_source,
        completeness.from_at,
        completeness.completeness_state,
        row_number() over (
            partition by completeness.organization_id
            order by completeness.from_at, {{ binary_order('completeness.expected_source') }}
        ) as source_position
    from {{ ref('gate_source_completeness') }} as completeness
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on completeness.organization_id = close_scope.organization_id
    where completeness.completeness_state <> 'landed' and close_scope.override_reason is null

),

{# from here on a source of the organisation has not landed: the first one by time and name #}
incomplete_sources as (

    select * from missing_sources
    where source_position = 1

),

{# customers with usage to be billed of a time for which a source is missing #}
waiting_customers as (

    select
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        incomplete_sources.expected_source,
        incomplete_sources.from_at,
        incomplete_sources.completeness_state
    from metered_charges
    inner join incomplete_sources
        on
            metered_charges.organization_id = incomplete_sources.organization_id
            and metered_charges.usage_to_at > incomplete_sources.from_at
    where metered_charges.moment_state = 'due' and metered_charges.usage_from_at < metered_charges.usage_to_at
    group by
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        incomplete_sources.expected_source,
        incomplete_sources.from_at,
        incomplete_sources.completeness_state

),

keyless_events as (

    select
        usage_events.*,
        subscribers.external_customer_id
    from {{ ref('stg_events__usage_events') }} as usage_events
    inner join keyless_files
        on usage_events.file_id = keyless_files.file_id
    inner join subscribers
        on
            usage_events.organization_id = subscribers.organization_id
            and usage_events.external_subscription_id = subscribers.external_subscription_id
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            usage_events.organization_id = close_scope.organization_id
            and usage_events.batch_id <= close_scope.known_batch_id
    where
        coalesce(usage_events.transaction_id, '') = ''
        or coalesce(usage_events.code, '') = ''
        or usage_events.event_at is null

),

usage_fees as (

    select * from {{ ref('int_fees_from_usage') }}

),

counted_usage as (

    select
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        metered_charges.moment_id,
        metered_charges.charge_code,
        cast(sum(usage.events_count) as bigint) as events_count
    from metered_charges
    inner join {{ ref('int_usage_aggregated') }} as usage
        on
            metered_charges.moment_id = usage.moment_id
            and metered_charges.charge_code = usage.charge_code
    where
        metered_charges.moment_state = 'due'
        and usage.events_count > 0
        and not metered_charges.is_pay_in_advance
        and not metered_charges.is_carried_over
    group by
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        metered_charges.moment_id,
        metered_charges.charge_code

),

{# one row per metric and event code, however many versions read the code #}
metric_codes as (

    select distinct
        metric_versions.organization_id,
        metric_versions.billable_metric_code,
        metric_versions.event_code
    from {{ ref('int_metric_versions') }} as metric_versions

),

{# events that a charge of the plan bills by some version of its metric, but by none in force when the period began #}
unmetered_usage as (

    select
        moments.organization_id,
        moments.external_customer_id,
        moments.moment_id,
        charges.charge_code,
        cast(sum(fates.events_count) as bigint) as events_count
    from {{ ref('int_event_fates') }} as fates
    inner join moments
        on fates.moment_id = moments.moment_id
    inner join {{ ref('int_plan_versions') }} as plan_versions
        on
            moments.organization_id = plan_versions.organization_id
            and moments.plan_code = plan_versions.plan_code
            and moments.full_started_at >= plan_versions.valid_from_at
            and moments.full_started_at < plan_versions.valid_to_at
    inner join {{ ref('stg_book__charges') }} as charges
        on
            plan_versions.organization_id = charges.organization_id
            and plan_versions.plan_code = charges.plan_code
            and plan_versions.effective_at = charges.effective_at
    inner join metric_codes
        on
            charges.organization_id = metric_codes.organization_id
            and charges.billable_metric_code = metric_codes.billable_metric_code
            and fates.code = metric_codes.event_code
    left join metered_charges
        on
            moments.moment_id = metered_charges.moment_id
            and charges.charge_code = metered_charges.charge_code
    where fates.fate = 'no_charge' and metered_charges.moment_id is null
    group by
        moments.organization_id,
        moments.external_customer_id,
        moments.moment_id,
        charges.charge_code

)

select
    waiting_customers.organization_id,
    waiting_customers.external_customer_id,
    'source_incomplete' as rule,
    'gate_source_completeness' as relation,
    waiting_customers.expected_source || ' ' || cast(waiting_customers.from_at as varchar) as row_key,
    'the source ' || waiting_customers.expected_source || ' is ' || waiting_customers.completeness_state
    || ' for the time from ' || cast(waiting_customers.from_at as varchar) as detail
from waiting_customers

union all

select
    keyless_events.organization_id,
    keyless_events.external_customer_id,
    'event_null_key' as rule,
    'stg_events__usage_events' as relation,
    'file ' || cast(keyless_events.file_id as varchar)
    || ' line ' || cast(keyless_events.line_number as varchar) as row_key,
    'an event of subscription ' || keyless_events.external_subscription_id
    || ' has no transaction_id, no code or no time' as detail
from keyless_events

union all

select
    counted_usage.organization_id,
    counted_usage.external_customer_id,
    'unpriced_usage' as rule,
    'int_usage_aggregated' as relation,
    counted_usage.moment_id || ' ' || counted_usage.charge_code as row_key,
    'charge ' || counted_usage.charge_code || ' counts '
    || cast(counted_usage.events_count as varchar) || ' events that are on no line of an invoice' as detail
from counted_usage
left join usage_fees
    on
        counted_usage.moment_id = usage_fees.moment_id
        and counted_usage.charge_code = usage_fees.fee_code
where usage_fees.fee_id is null

union all

select
    unmetered_usage.organization_id,
    unmetered_usage.external_customer_id,
    'unpriced_usage' as rule,
    'int_event_fates' as relation,
    unmetered_usage.moment_id || ' ' || unmetered_usage.charge_code as row_key,
    cast(unmetered_usage.events_count as varchar) || ' events of charge '
    || unmetered_usage.charge_code
    || ' have no price: no version of its metric was in force when the period began' as detail
from unmetered_usage
