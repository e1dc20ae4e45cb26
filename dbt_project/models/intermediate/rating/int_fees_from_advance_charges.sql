with

advance as (

    select * from {{ ref('int_advance_events') }}

),

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_pay_in_advance

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}

),

priced as (

    select * from {{ ref('int_usage_priced') }}

),

allowances as (

    select * from {{ ref('int_percentage_allowances') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

pricing_units as (

    select * from {{ ref('int_pricing_unit_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

{# the price of the total with the event less that without it; both exact (docs/billing-rules.md, Prices) #}
charged as (

    select
        advance.*,
        charge_windows.external_customer_id,
        charge_windows.plan_code,
        charge_windows.plan_effective_at,
        charge_windows.charge_name,
        charge_windows.charge_position,
        charge_windows.billable_metric_code,
        charge_windows.charge_model,
        charge_windows.is_invoiceable,
        charge_windows.usage_from_date,
        charge_windows.usage_full_to_date,
        charge_windows.applied_pricing_unit_code,
        charge_windows.pricing_unit_conversion_rate,
        pricing_units.exponent as pricing_unit_exponent,
        plan_versions.amount_currency as currency,
        currencies.exponent as currency_exponent,
        buckets.filter_name,
        buckets.filter_values,
        buckets.unit_price,
        case
            when charge_windows.charge_model = 'standard'
                then {{ price_standard(
                    'case when charge_windows.is_prorated then advance.billed_prorated_units'
                    ~ ' else advance.billed_units end',
                    'buckets.unit_price'
                ) }}
            {# an event is never refunded, neither is a negative amount that it brings #}
            when charge_windows.charge_model = 'dynamic'
                then {{ major_units(
                    'greatest(coalesce(advance.precise_total_amount_cents, 0), 0)', 'currencies.exponent'
                ) }}
            when charge_windows.charge_model = 'percentage' and buckets.has_event_limits
                then {{ cut_amount('allowances.limited_amount') }}
            else priced_with.amount - coalesce(priced_without.amount, 0)
        end as amount
    from advance
    inner join charge_windows
        on
            advance.moment_id = charge_windows.moment_id
            and advance.charge_code = charge_windows.charge_code
    inner join plan_versions
        on
            charge_windows.organization_id = plan_versions.organization_id
            and charge_windows.plan_code = plan_versions.plan_code
            and charge_windows.plan_effective_at = plan_versions.effective_at
    inner join buckets
        on
            charge_windows.organization_id = buckets.organization_id
            and charge_windows.plan_code = buckets.plan_code
            and charge_windows.plan_effective_at = buckets.plan_effective_at
            and charge_windows.charge_code = buckets.charge_code
            and advance.filter_position = buckets.filter_position
    left join currencies
        on plan_versions.amount_currency = currencies.currency_code
    left join pricing_units
        on
            charge_windows.organization_id = pricing_units.organization_id
            and charge_windows.applied_pricing_unit_code = pricing_units.pricing_unit_code
            and charge_windows.usage_from_at >= pricing_units.valid_from_at
            and charge_windows.usage_from_at < pricing_units.valid_to_at
    left join priced as priced_with
        on advance.charging_id || ' with' = priced_with.point_id
    left join priced as priced_without
        on advance.charging_id || ' without' = priced_without.point_id
    left join allowances
        on
            advance.moment_id = allowances.moment_id
            and advance.charge_code = allowances.charge_code
            and advance.filter_position = allowances.filter_position
            and advance.group_values = allowances.group_values
            and advance.sequence_number = allowances.sequence_number
            and advance.list_number = allowances.list_number
    where advance.is_charged or charge_windows.moment_state = 'restated'

),

converted as (

    select
        charged.*,
        {{ converted_amount(
            'charged.amount', 'charged.applied_pricing_unit_code', 'charged.pricing_unit_exponent',
            'charged.pricing_unit_conversion_rate'
        ) }} as currency_amount
    from charged

)

select
    {{ surrogate_key(['converted.charging_id', "'charge'"]) }} as fee_id,
    converted.charging_id as moment_id,
    converted.is_charged,
    {# the fee that charges the event, or would #}
    {{ surrogate_key(['converted.advance_event_id', "'charge'"]) }} as charged_fee_id,
    converted.period_moment_id,
    converted.transaction_id,
    converted.plan_code,
    converted.plan_effective_at,
    'charge' as fee_type,
    converted.charge_code as fee_code,
    coalesce(converted.filter_name, converted.charge_name) as fee_name,
    converted.charge_position as fee_position,
    converted.filter_position,
    converted.billable_metric_code,
    converted.charge_model,
    converted.filter_values,
    nullif(converted.group_values, '') as group_values,
    converted.usage_from_date as from_date,
    converted.usage_full_to_date as to_date,
    {# when nothing is billed because the level was higher before, the event's own units are shown #}
    cast(
        case when converted.billed_units > 0 then converted.billed_units else greatest(converted.change, 0) end
        as decimal(38, 12)
    ) as units,
    cast(1 as bigint) as events_count,
    case when converted.charge_model = 'standard' then converted.unit_price end as unit_price,
    converted.currency,
    converted.currency_exponent,
    {{ round_to_minor_units('converted.currency_amount', 'converted.currency_exponent') }} as amount_cents,
    {{ precise_minor_units('converted.currency_amount', 'converted.currency_exponent') }} as precise_amount_cents,
    converted.is_invoiceable
from converted
