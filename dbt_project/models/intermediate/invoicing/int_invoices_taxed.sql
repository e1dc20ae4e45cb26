with

fee_taxes as (

    select * from {{ ref('int_fee_taxes') }}

),

fees as (

    select * from {{ ref('int_fees_taxed') }}

),

invoices as (

    select * from {{ ref('int_invoices_ordered') }}

),

{# one line per tax for display; the total of an invoice is rounded by itself (int_postings) #}
tax_lines as (

    select
        fee_taxes.invoice_id,
        fee_taxes.tax_code,
        fee_taxes.tax_name,
        fee_taxes.tax_rate,
        cast(sum(fees.sub_e5) as decimal(38, 0)) as taxable_e5,
        sum(fees.sub_e5 * {{ scaled_percent('fee_taxes.tax_rate') }}) as scaled_tax,
        sum(
            {{ divide_half_away('fees.sub_e5 * ' ~ scaled_percent('fee_taxes.tax_rate'), power_of_ten(19)) }}
        ) as sum_of_taxes,
        min(invoices.invoice_type) as invoice_type
    from fee_taxes
    inner join fees
        on fee_taxes.fee_id = fees.fee_id
    inner join invoices
        on fee_taxes.invoice_id = invoices.invoice_id
    group by fee_taxes.invoice_id, fee_taxes.tax_code, fee_taxes.tax_name, fee_taxes.tax_rate

)

select
    tax_lines.invoice_id,
    tax_lines.tax_code,
    tax_lines.tax_name,
    tax_lines.tax_rate,
    cast({{ divide_half_away('tax_lines.taxable_e5', '100000') }} as bigint) as taxable_amount_cents,
    {# regrouped fees were taxed one by one #}
    cast(
        case
            when tax_lines.invoice_type = 'advance_charges' then tax_lines.sum_of_taxes
            else {{ divide_half_away('tax_lines.scaled_tax', power_of_ten(19)) }}
        end as bigint
    ) as tax_amount_cents
from tax_lines
