with

priced as (

    select * from {{ ref('int_usage_priced') }}
    where point_kind in ('usage', 'renewal')

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
  subscription ends or is upgraded (docs/billing-rules.md, Prices): a downgrade comes when a period ends, and the units of
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
    inner join billed
        on
            priced.moment_id = billed.moment_id
            and priced.charge_code = billed.charge_code
            {# in a running period the usage of a charge paid in advance is what has been paid, not its renewal #}
            and (priced.point_kind = 'usage')
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
        {{ precise_minor_units('converted.currency_amount', 'converted.currency_exponent') }} as precise_amount_cents
    from converted

),

{# the fee that a true-up of the charge hangs on: the default bucket's, of a grouped one the first #}
numbered as (

    select
        rounded.point_id,
        row_number() over (
            partition by rounded.moment_id, rounded.charge_code
            order by rounded.filter_position, {{ binary_order('rounded.group_values') }}
        ) as charge_row
    from rounded

),

{# lines that come to more than any invoice can have (thousands of the largest amounts) are unknown, all of them #}
too_large as (

    select rounded.moment_id
    from rounded
    group by rounded.moment_id
    having abs(sum(rounded.amount_cents)) >= 100000000000000000

)

select
    {{ surrogate_key([
        'rounded.moment_id', "'charge'", 'rounded.charge_code', 'rounded.filter_position', 'rounded.group_values'
    ]) }} as fee_id,
    rounded.point_id as usage_id,
    rounded.moment_id,
    rounded.organization_id,
    rounded.external_customer_id,
    rounded.external_subscription_id,
    rounded.plan_code,
    rounded.plan_effective_at,
    'charge' as fee_type,
    rounded.charge_code as fee_code,
    coalesce(rounded.filter_name, rounded.charge_name) as fee_name,
    rounded.charge_position as fee_position,
    rounded.filter_position,
    rounded.billable_metric_code,
    rounded.charge_model,
    rounded.filter_values,
    nullif(rounded.group_values, '') as group_values,
    rounded.usage_from_date as from_date,
    rounded.usage_to_date as to_date,
    rounded.full_units as units,
    rounded.events_count,
    case when rounded.charge_model = 'standard' then rounded.unit_price end as unit_price,
    rounded.currency,
    rounded.currency_exponent,
    case when too_large.moment_id is null then rounded.amount_cents end as amount_cents,
    rounded.precise_amount_cents,
    rounded.is_invoiceable,
    rounded.units as priced_units,
    rounded.units_rest as priced_units_rest,
    rounded.applied_pricing_unit_code,
    numbered.charge_row = 1 as is_first_of_charge,
    {# a line without units, amount and events is not kept: docs/billing-rules.md, Prices #}
    rounded.full_units <> 0
    or rounded.units_rest <> 0
    or rounded.amount is null
    or rounded.amount <> 0
    or rounded.events_count <> 0 as is_kept
from rounded
inner join numbered
    on rounded.point_id = numbered.point_id
left join too_large
    on rounded.moment_id = too_large.moment_id
