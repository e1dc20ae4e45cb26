with

fees as (

    select * from {{ ref('int_fees') }}
    where moment_state = 'due'

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

),

fee_tax_sums as (

    select
        fee_taxes.fee_id,
        cast(sum(fee_taxes.tax_rate) as decimal(21, 12)) as taxes_rate,
        cast(
            sum(
                cast(fee_taxes.taxable_amount_cents as {{ wide_integer() }})
                * {{ scaled_percent('fee_taxes.tax_rate') }}
            )
            as {{ wide_integer() }}
        ) as scaled_tax
    from {{ ref('int_fee_taxes') }} as fee_taxes
    group by fee_taxes.fee_id

)

select
    fees.fee_id,
    scheduled.invoice_id,
    scheduled.close_id,
    fees.moment_id,
    fees.organization_id,
    fees.external_customer_id,
    fees.external_subscription_id,
    fees.fee_type,
    fees.fee_code,
    fees.fee_name,
    fees.fee_position,
    fees.filter_position,
    fees.billable_metric_code,
    fees.charge_model,
    fees.filter_values,
    fees.group_values,
    fees.from_date,
    fees.to_date,
    fees.units,
    fees.events_count,
    fees.unit_price,
    fees.currency,
    fees.currency_exponent,
    fees.amount_cents,
    fees.precise_amount_cents,
    cast(coalesce(fee_tax_sums.taxes_rate, 0) as decimal(21, 12)) as taxes_rate,
    case
        when fee_tax_sums.fee_id is null then cast(0 as bigint)
        else {{ cents_of_scaled_percents('fee_tax_sums.scaled_tax') }}
    end as taxes_amount_cents
from fees
inner join scheduled
    on fees.moment_id = scheduled.moment_id
left join fee_tax_sums
    on fees.fee_id = fee_tax_sums.fee_id
