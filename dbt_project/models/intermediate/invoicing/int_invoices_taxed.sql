with

fee_taxes as (

    select * from {{ ref('int_fee_taxes') }}

),

{# one line per tax for display; the total of an invoice is rounded by itself (int_postings) #}
tax_lines as (

    select
        fee_taxes.invoice_id,
        fee_taxes.tax_code,
        fee_taxes.tax_name,
        fee_taxes.tax_rate,
        cast(sum(fee_taxes.taxable_amount_cents) as bigint) as taxable_amount_cents,
        cast(
            sum(
                cast(fee_taxes.taxable_amount_cents as {{ wide_integer() }})
                * {{ scaled_percent('fee_taxes.tax_rate') }}
            )
            as {{ wide_integer() }}
        ) as scaled_tax
    from fee_taxes
    group by fee_taxes.invoice_id, fee_taxes.tax_code, fee_taxes.tax_name, fee_taxes.tax_rate

)

select
    tax_lines.invoice_id,
    tax_lines.tax_code,
    tax_lines.tax_name,
    tax_lines.tax_rate,
    tax_lines.taxable_amount_cents,
    tax_lines.scaled_tax,
    {{ cents_of_scaled_percents('tax_lines.scaled_tax') }} as tax_amount_cents
from tax_lines
