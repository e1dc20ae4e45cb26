{%- set columns = [
    'moment_id', 'moment_state', 'organization_id', 'external_customer_id', 'external_subscription_id',
    'as_of', 'finalizes_at', 'usage_from_at', 'usage_to_at', 'usage_from_date', 'usage_to_date', 'usage_full_to_date',
    'usage_full_days_count', 'usage_days_count', 'ended_by', 'plan_code', 'plan_effective_at', 'full_started_at',
    'has_previous_row', 'row_started_at', 'next_plan_code', 'next_plan_effective_at',
] -%}
with

moments as (

    select
        {% for column in columns -%}
            moments.{{ column }},
        {% endfor -%}
        moments.moment_id as period_moment_id,
        cast(null as bigint) as usage_known_batch_id
    from {{ ref('int_billing_moments') }} as moments
    where moments.moment_state <> 'finalized' and moments.usage_from_at < moments.usage_to_at

    union all

    {# periods as they are known at another time #}
    select
        {% for column in columns -%}
            restated.{{ column }},
        {% endfor -%}
        restated.period_moment_id,
        restated.usage_known_batch_id
    from {{ ref('int_restated_moments') }} as restated
    where restated.usage_from_at < restated.usage_to_at

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

metric_versions as (

    select * from {{ ref('int_metric_versions') }}

),

{# metrics that the plan of the following subscription row reads as well #}
next_metrics as (

    select distinct
        charges.organization_id,
        charges.plan_code,
        charges.effective_at,
        charges.billable_metric_code
    from charges

),

{# the metric, like the plan, is the version in force when the full period began #}
metered as (

    select
        moments.moment_id,
        moments.period_moment_id,
        moments.moment_state,
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        customers.timezone_history,
        moments.as_of,
        moments.finalizes_at,
        moments.usage_known_batch_id,
        moments.usage_from_at,
        moments.usage_to_at,
        moments.usage_from_date,
        moments.usage_to_date,
        moments.usage_full_to_date,
        moments.usage_full_days_count,
        moments.usage_days_count,
        moments.ended_by,
        {# the charge with its prices and its metric, as they are in force: the key of its buckets #}
        {{ surrogate_key([
            'charges.organization_id', 'charges.plan_code', 'charges.effective_at', 'charges.charge_code',
            'metric_versions.valid_from_at',
        ]) }} as metered_charge_id,
        charges.plan_code,
        charges.effective_at as plan_effective_at,
        charges.charge_code,
        charges.position as charge_position,
        coalesce(
            charges.invoice_display_name, metric_versions.billable_metric_name, charges.charge_code
        ) as charge_name,
        charges.charge_model,
        coalesce(charges.is_pay_in_advance, false) as is_pay_in_advance,
        coalesce(charges.is_invoiceable, true) as is_invoiceable,
        coalesce(charges.is_prorated, false) as is_prorated,
        coalesce(charges.min_amount_cents, 0) as min_amount_cents,
        charges.regroup_paid_fees,
        charges.applied_pricing_unit_code,
        charges.pricing_unit_conversion_rate,
        metric_versions.billable_metric_code,
        metric_versions.billable_metric_name,
        metric_versions.valid_from_at as metric_effective_at,
        metric_versions.event_code,
        metric_versions.aggregation_type,
        metric_versions.field_name,
        metric_versions.is_recurring,
        metric_versions.rounding_function,
        metric_versions.rounding_precision,
        {#
          From when on a recurring metric counts: all history for sums and unique counts; a level by time begins with
          the first subscription, unless this row was born from a plan change (docs/billing-rules.md, Usage).
        #}
        case
            when not metric_versions.is_recurring then moments.usage_from_at
            when metric_versions.aggregation_type in ('sum_agg', 'unique_count_agg') or moments.has_previous_row
                then {{ beginning_of_time() }}
            else moments.row_started_at
        end as history_from_at,
        {# unprorated units of an upgraded row are billed by the new row, when it has the metric #}
        coalesce(
            moments.ended_by = 'upgrade'
            and metric_versions.is_recurring
            and not charges.is_prorated
            and next_metrics.billable_metric_code is not null, false
        ) as is_carried_over
    from moments
    inner join charges
        on
            moments.organization_id = charges.organization_id
            and moments.plan_code = charges.plan_code
            and moments.plan_effective_at = charges.effective_at
    inner join metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and moments.full_started_at >= metric_versions.valid_from_at
            and moments.full_started_at < metric_versions.valid_to_at
    left join {{ ref('int_customers_resolved') }} as customers
        on
            moments.organization_id = customers.organization_id
            and moments.external_customer_id = customers.external_customer_id
    left join next_metrics
        on
            moments.organization_id = next_metrics.organization_id
            and moments.next_plan_code = next_metrics.plan_code
            and moments.next_plan_effective_at = next_metrics.effective_at
            and charges.billable_metric_code = next_metrics.billable_metric_code
    {# what is paid in advance was billed event by event: a note about a draft leaves it alone #}
    where moments.moment_state <> 'noted' or not coalesce(charges.is_pay_in_advance, false)

)

select * from metered
