with

moments as (

    select * from {{ ref('int_billing_moments') }}

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

charge_filters as (

    select * from {{ ref('stg_book__charge_filters') }}

),

metric_versions as (

    select * from {{ ref('int_metric_versions') }}

),

{# the metric, like the plan, is the version in force when the full period began #}
metered as (

    select
        moments.moment_id,
        moments.moment_state,
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        charges.plan_code,
        charges.effective_at as plan_effective_at,
        charges.charge_code,
        charges.position as charge_position,
        coalesce(
            charges.invoice_display_name, metric_versions.billable_metric_name, charges.charge_code
        ) as charge_name,
        charges.charge_model,
        charge_filters.filter_position,
        charge_filters.amount as unit_price,
        metric_versions.billable_metric_code,
        metric_versions.billable_metric_name,
        metric_versions.event_code,
        metric_versions.aggregation_type,
        metric_versions.field_name,
        metric_versions.rounding_function,
        metric_versions.rounding_precision
    from moments
    inner join charges
        on
            moments.organization_id = charges.organization_id
            and moments.plan_code = charges.plan_code
            and moments.plan_effective_at = charges.effective_at
    inner join charge_filters
        on
            charges.organization_id = charge_filters.organization_id
            and charges.plan_code = charge_filters.plan_code
            and charges.effective_at = charge_filters.effective_at
            and charges.charge_code = charge_filters.charge_code
            and charge_filters.filter_position = 0
    inner join metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and moments.full_started_at >= metric_versions.valid_from_at
            and moments.full_started_at < metric_versions.valid_to_at
    where moments.moment_state <> 'finalized'

)

select * from metered
