{%- set columns = [
    'moment_id', 'organization_id', 'base_plan_code', 'fee_plan_code', 'fee_plan_effective_at', 'from_date', 'to_date',
    'days_count', 'full_days_count',
] -%}
with

moments as (

    {% for source in [ref('int_billing_moments'), ref('int_restated_moments')] -%}
        select
            {% for column in columns -%}
                sources.{{ column }}{% if not loop.last %},{% endif %}
            {% endfor %}
        from {{ source }} as sources
        where sources.moment_state <> 'finalized' and sources.has_plan_fee
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

)

{# days billed / days of the full period, rounded once: docs/billing-rules.md, Life cycle #}
select
    {{ surrogate_key(['moments.moment_id', "'subscription'"]) }} as fee_id,
    moments.moment_id,
    moments.fee_plan_code as plan_code,
    moments.fee_plan_effective_at as plan_effective_at,
    'subscription' as fee_type,
    moments.base_plan_code as fee_code,
    coalesce(plan_versions.invoice_display_name, plan_versions.plan_name, moments.base_plan_code) as fee_name,
    0 as fee_position,
    0 as filter_position,
    cast(null as varchar) as billable_metric_code,
    cast(null as varchar) as charge_model,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    moments.from_date,
    moments.to_date,
    cast(1 as decimal(38, 12)) as units,
    cast(0 as bigint) as events_count,
    cast(null as decimal(21, 12)) as unit_price,
    plan_versions.amount_currency as currency,
    currencies.exponent as currency_exponent,
    cast(
        {{ divide_half_away(
            'cast(plan_versions.amount_cents as ' ~ wide_integer() ~ ') * moments.days_count', 'moments.full_days_count'
        ) }} as bigint
    ) as amount_cents,
    {{ precise_share('plan_versions.amount_cents', 'moments.days_count', 'moments.full_days_count') }}
        as precise_amount_cents
from moments
inner join plan_versions
    on
        moments.organization_id = plan_versions.organization_id
        and moments.fee_plan_code = plan_versions.plan_code
        and moments.fee_plan_effective_at = plan_versions.effective_at
left join currencies
    on plan_versions.amount_currency = currencies.currency_code
