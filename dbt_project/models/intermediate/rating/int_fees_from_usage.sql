with

priced as (

    select * from {{ ref('int_usage_priced') }}

),

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

charge_windows as (

    select * from {{ ref('int_charge_windows') }}

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}

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

{#
  On the invoice of a period: charges in arrears, and of those in advance the renewal of recurring ones, unless the
  subscription ends or is upgraded (semantics/rating.md section 7): a downgrade comes when a period ends, and the units of
  the next are still to be paid. Units that the row after an upgrade bills are left out (4.3).
#}
billed as (

    select
        charge_windows.*,
        plan_versions.amount_currency as currency,
        currencies.exponent as currency_exponent,
        pricing_units.exponent as pricing_unit_exponent
    from charge_windows
    inner join plan_versions
        on
            charge_windows.organization_id = plan_versions.organization_id
            and charge_windows.plan_code = plan_versions.plan_code
            and charge_windows.plan_effective_at = plan_versions.effective_at
    left join currencies
        on plan_versions.amount_currency = currencies.currency_code
    left join pricing_units
        on
            charge_windows.organization_id = pricing_units.organization_id
            and charge_windows.applied_pricing_unit_code = pricing_units.pricing_unit_code
            and charge_windows.usage_from_at >= pricing_units.valid_from_at
            and charge_windows.usage_from_at < pricing_units.valid_to_at
    where
        not charge_windows.is_carried_over
        and (
            not charge_windows.is_pay_in_advance
            or (charge_windows.is_recurring and coalesce(charge_windows.ended_by, 'downgrade') = 'downgrade')
        )

),

converted as (

    select
        priced.*,
        billed.organization_id,
        billed.external_customer_id,
        billed.external_subscription_id,
        billed.plan_code,
        billed.plan_effective_at,
        billed.charge_name,
        billed.charge_position,
        billed.billable_metric_code,
        billed.charge_model,
        billed.usage_from_date,
        billed.usage_to_date,
        billed.is_invoiceable,
        billed.applied_pricing_unit_code,
        billed.currency,
        billed.currency_exponent,
        buckets.filter_name,
        buckets.filter_values,
        buckets.unit_price,
        {{ converted_amount(
            'priced.amount', 'billed.applied_pricing_unit_code', 'billed.pricing_unit_exponent',
            'billed.pricing_unit_conversion_rate'
        ) }} as currency_amount
    from priced
    inner join usage
        on replace(priced.point_id, ' renewal', '') = usage.usage_id
    inner join billed
        on
            priced.moment_id = billed.moment_id
            and priced.charge_code = billed.charge_code
            {# in a running period the usage of a charge paid in advance is what has been paid, not its renewal #}
            and (priced.point_id = usage.usage_id)
            <> (billed.moment_state = 'running' and billed.is_pay_in_advance)
    inner join buckets
        on
            billed.organization_id = buckets.organization_id
            and billed.plan_code = buckets.plan_code
            and billed.plan_effective_at = buckets.plan_effective_at
            and billed.charge_code = buckets.charge_code
            and priced.filter_position = buckets.filter_position

),

rounded as (

    select
        converted.*,
        {{ round_to_minor_units('converted.currency_amount', 'converted.currency_exponent') }} as amount_cents,
        {{ precise_minor_units('converted.currency_amount', 'converted.currency_exponent') }} as precise_amount_cents,
        {# the fee that a true-up of the charge hangs on: the default bucket's, of a grouped one the first #}
        row_number() over (
            partition by converted.moment_id, converted.charge_code
            order by converted.filter_position, {{ binary_order('converted.group_values') }}
        ) = 1 as is_first_of_charge
    from converted

),

{# lines that come to more than any invoice can have (thousands of the largest amounts) are unknown, all of them #}
summed as (

    select
        rounded.*,
        abs(sum(rounded.amount_cents) over (partition by rounded.moment_id)) >= 100000000000000000 as is_too_large
    from rounded

)

select
    {{ surrogate_key([
        'summed.moment_id', "'charge'", 'summed.charge_code', 'summed.filter_position', 'summed.group_values'
    ]) }} as fee_id,
    summed.point_id as usage_id,
    summed.moment_id,
    summed.organization_id,
    summed.external_customer_id,
    summed.external_subscription_id,
    summed.plan_code,
    summed.plan_effective_at,
    'charge' as fee_type,
    summed.charge_code as fee_code,
    coalesce(summed.filter_name, summed.charge_name) as fee_name,
    summed.charge_position as fee_position,
    summed.filter_position,
    summed.billable_metric_code,
    summed.charge_model,
    summed.filter_values,
    nullif(summed.group_values, '') as group_values,
    summed.usage_from_date as from_date,
    summed.usage_to_date as to_date,
    summed.full_units as units,
    summed.events_count,
    case when summed.charge_model = 'standard' then summed.unit_price end as unit_price,
    summed.currency,
    summed.currency_exponent,
    case when not summed.is_too_large then summed.amount_cents end as amount_cents,
    summed.precise_amount_cents,
    summed.is_invoiceable,
    summed.units as priced_units,
    summed.units_rest as priced_units_rest,
    summed.applied_pricing_unit_code,
    summed.is_first_of_charge,
    {# a line without units, amount and events is not kept: semantics/rating.md section 10 #}
    summed.full_units <> 0
    or summed.units_rest <> 0
    or summed.amount is null
    or summed.amount <> 0
    or summed.events_count <> 0 as is_kept
from summed
