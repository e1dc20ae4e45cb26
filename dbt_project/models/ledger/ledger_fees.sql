with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

fees as (

    select * from {{ ref('int_fees_taxed') }}

)

select
    invoices.close_id,
    fees.fee_id,
    fees.invoice_id,
    fees.moment_id,
    fees.organization_id,
    fees.external_customer_id,
    fees.external_subscription_id,
    cast(
        row_number() over (
            partition by fees.invoice_id
            order by
                {# the lines of children follow those of the customer that pays #}
                case when fees.external_customer_id = invoices.external_customer_id then 0 else 1 end,
                {{ binary_order('fees.external_customer_id') }},
                {{ invoice_line_order('fees') }}
        ) as integer
    ) as line_number,
    fees.fee_type,
    fees.fee_code,
    fees.fee_name,
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
    fees.taxes_rate,
    fees.taxes_amount_cents,
    fees.precise_coupons_amount_cents,
    fees.precise_credit_notes_amount_cents
from invoices
inner join fees
    on invoices.invoice_id = fees.invoice_id
