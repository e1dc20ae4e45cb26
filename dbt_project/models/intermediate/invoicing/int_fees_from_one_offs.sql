with

moments as (

    select * from {{ ref('int_one_off_moments') }}
    where moment_state <> 'finalized'

),

one_off_fees as (

    select * from {{ ref('stg_book__one_off_fees') }}

),

add_ons as (

    select * from {{ ref('int_add_on_versions') }}

),

wallet_transactions as (

    select * from {{ ref('int_wallet_transactions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

{# a line costs round(unit price x units); units default to 1, the price to the add-on's #}
lines as (

    select
        moments.moment_id,
        moments.billing_date,
        moments.currency,
        one_off_fees.fee_position,
        one_off_fees.add_on_code as fee_code,
        'add_on' as fee_type,
        coalesce(one_off_fees.invoice_display_name, add_ons.add_on_name, one_off_fees.add_on_code) as fee_name,
        cast(coalesce(one_off_fees.units, 1) as decimal(38, 12)) as units,
        cast(coalesce(one_off_fees.unit_amount_cents, add_ons.amount_cents) as bigint) as unit_amount_cents,
        cast(null as bigint) as amount_cents
    from moments
    inner join one_off_fees
        on
            moments.organization_id = one_off_fees.organization_id
            and moments.request_id = one_off_fees.one_off_invoice_id
            and moments.reason = 'one_off'
    left join add_ons
        on
            one_off_fees.organization_id = add_ons.organization_id
            and one_off_fees.add_on_code = add_ons.add_on_code
            and moments.billing_at >= add_ons.valid_from_at
            and moments.billing_at < add_ons.valid_to_at

    union all

    select
        moments.moment_id,
        moments.billing_date,
        moments.currency,
        1 as fee_position,
        wallet_transactions.wallet_code as fee_code,
        'credit' as fee_type,
        coalesce(wallet_transactions.transaction_name, 'Prepaid credits') as fee_name,
        cast({{ e5_to_decimal('wallet_transactions.credits_e5') }} as decimal(38, 12)) as units,
        cast(null as bigint) as unit_amount_cents,
        wallet_transactions.amount_cents
    from moments
    inner join wallet_transactions
        on
            moments.organization_id = wallet_transactions.organization_id
            and moments.request_id = wallet_transactions.wallet_transaction_id
            and moments.reason = 'wallet_purchase'

),

valued as (

    select
        lines.*,
        currencies.exponent as currency_exponent,
        {# a product of more than 15 digits has no amount: the gate holds its customer #}
        case
            when lines.amount_cents is not null then cast(lines.amount_cents as decimal(38, 12))
            when
                abs(trunc(lines.units)) < {{ divide_integers(
                    power_of_ten(15), 'greatest(abs(lines.unit_amount_cents), 1)'
                ) }}
                then cast(cast(lines.unit_amount_cents as decimal(15, 0)) * lines.units as decimal(38, 12))
        end as exact_amount_cents
    from lines
    left join currencies
        on lines.currency = currencies.currency_code

)

select
    {{ surrogate_key(['valued.moment_id', "'line'", 'valued.fee_position']) }} as fee_id,
    valued.moment_id,
    cast(null as varchar) as plan_code,
    cast(null as timestamp) as plan_effective_at,
    valued.fee_type,
    valued.fee_code,
    valued.fee_name,
    valued.fee_position,
    0 as filter_position,
    cast(null as varchar) as billable_metric_code,
    cast(null as varchar) as charge_model,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    valued.billing_date as from_date,
    valued.billing_date as to_date,
    valued.units,
    cast(0 as bigint) as events_count,
    {{ unit_price_of_cents('valued.unit_amount_cents', 'valued.currency_exponent') }} as unit_price,
    valued.currency,
    valued.currency_exponent,
    cast(round(valued.exact_amount_cents) as bigint) as amount_cents,
    cast(valued.exact_amount_cents as decimal(38, 15)) as precise_amount_cents
from valued
