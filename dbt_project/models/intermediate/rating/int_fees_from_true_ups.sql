with

fees as (

    select * from {{ ref('int_fees_from_usage') }}

),

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where min_amount_cents > 0 and not is_pay_in_advance and not is_carried_over and moment_state <> 'window'

),

charged as (

    {# an unknown amount leaves the true-up unknown too, and so does a sum that no invoice can have #}
    select
        fees.moment_id,
        fees.fee_code,
        case
            when count(*) = count(fees.amount_cents) and abs(sum(fees.amount_cents)) < 1000000000000000000
                then cast(sum(fees.amount_cents) as bigint)
        end as amount_cents,
        min(fees.currency) as currency,
        min(fees.currency_exponent) as currency_exponent,
        min(fees.fee_name) as fee_name
    from fees
    group by fees.moment_id, fees.fee_code

),

{# what is missing to the minimum, prorated by the days billed, rounded once: docs/billing-rules.md, Prices #}
missing as (

    select
        charge_windows.*,
        charged.currency,
        charged.currency_exponent,
        cast(charge_windows.min_amount_cents as {{ wide_integer() }}) * charge_windows.usage_days_count
        - cast(charged.amount_cents as {{ wide_integer() }}) * charge_windows.usage_full_days_count
            as missing_cent_days
    from charge_windows
    inner join charged
        on
            charge_windows.moment_id = charged.moment_id
            and charge_windows.charge_code = charged.fee_code

)

select
    {{ surrogate_key(['missing.moment_id', "'true_up'", 'missing.charge_code']) }} as fee_id,
    missing.moment_id,
    missing.plan_code,
    missing.plan_effective_at,
    'true_up' as fee_type,
    missing.charge_code as fee_code,
    missing.charge_name as fee_name,
    missing.charge_position as fee_position,
    0 as filter_position,
    missing.billable_metric_code,
    missing.charge_model,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    missing.usage_from_date as from_date,
    missing.usage_to_date as to_date,
    cast(1 as decimal(38, 12)) as units,
    cast(0 as bigint) as events_count,
    cast(null as decimal(21, 12)) as unit_price,
    missing.currency,
    missing.currency_exponent,
    cast(
        {{ divide_half_away('missing.missing_cent_days', 'missing.usage_full_days_count') }} as bigint
    ) as amount_cents,
    {{ precise_share('1', 'missing.missing_cent_days', 'missing.usage_full_days_count') }} as precise_amount_cents
from missing
where missing.missing_cent_days > 0 or missing.missing_cent_days is null
