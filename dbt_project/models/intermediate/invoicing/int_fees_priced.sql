with

fees as (

    select * from {{ ref('int_fees') }}
    where moment_state <> 'finalized'

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

),

tax_rates as (

    select
        fee_taxes.fee_id,
        cast(sum(fee_taxes.tax_rate) as decimal(21, 12)) as taxes_rate
    from {{ ref('int_fee_taxes') }} as fee_taxes
    group by fee_taxes.fee_id

)

{# what settlement needs of a fee; one without a price counts nothing here and holds its customer at the gate #}
select
    fees.fee_id,
    scheduled.invoice_id,
    fees.moment_id,
    fees.external_subscription_id,
    fees.fee_type,
    fees.fee_code,
    fees.billable_metric_code,
    fees.filter_values,
    fees.group_values,
    coalesce(fees.amount_cents, 0) as amount_cents,
    cast({{ decimal_to_e10('coalesce(fees.precise_amount_cents, 0)') }} as decimal(38, 0)) as precise_e10,
    cast(coalesce(tax_rates.taxes_rate, 0) as decimal(21, 12)) as taxes_rate
from fees
inner join scheduled
    on fees.moment_id = scheduled.moment_id
left join tax_rates
    on fees.fee_id = tax_rates.fee_id
