{# Taxes that are not in force, and invoices whose keys are missing or whose lines and totals differ. #}
with

fees as (

    select * from {{ ref('int_fees_taxed') }}
    where invoice_state <> 'running'

),

fee_sums as (

    select
        fees.invoice_id,
        cast(sum(fees.amount_cents) as bigint) as fees_amount_cents
    from fees
    group by fees.invoice_id

),

invoices as (

    select * from {{ ref('int_invoices_totalled') }}

),

standalone_fees as (

    select * from {{ ref('int_standalone_fees') }}

),

fee_taxes as (

    select * from {{ ref('int_fee_taxes') }}

),

tax_lines as (

    select
        taxes.invoice_id,
        cast(sum(taxes.tax_amount_cents) as bigint) as tax_amount_cents,
        count(*) as lines_count
    from {{ ref('int_invoices_taxed') }} as taxes
    group by taxes.invoice_id

)

select
    invoices.organization_id,
    invoices.external_customer_id,
    'tax_not_in_force' as rule,
    'int_fee_taxes' as relation,
    fee_taxes.fee_id || ' ' || fee_taxes.tax_code as row_key,
    'tax ' || fee_taxes.tax_code || ' is not in force on ' || cast(invoices.issuing_date as varchar) as detail
from fee_taxes
inner join invoices
    on fee_taxes.invoice_id = invoices.invoice_id
where fee_taxes.tax_rate is null

union all

select
    fees.organization_id,
    fees.external_customer_id,
    'tax_not_in_force' as rule,
    'int_standalone_fee_taxes' as relation,
    fee_taxes.fee_id || ' ' || fee_taxes.tax_code as row_key,
    'tax ' || fee_taxes.tax_code || ' is not in force on ' || cast(fees.billing_date as varchar) as detail
from {{ ref('int_standalone_fee_taxes') }} as fee_taxes
inner join standalone_fees as fees
    on fee_taxes.fee_id = fees.fee_id
where fee_taxes.tax_rate is null

union all

select
    invoices.organization_id,
    invoices.external_customer_id,
    'lines_equal_totals' as rule,
    'int_invoices_totalled' as relation,
    invoices.invoice_id as row_key,
    'the fees of the invoice add up to ' || coalesce(cast(fee_sums.fees_amount_cents as varchar), 'nothing')
    || ', its total says ' || cast(invoices.fees_amount_cents as varchar) as detail
from invoices
left join fee_sums
    on invoices.invoice_id = fee_sums.invoice_id
where coalesce(fee_sums.fees_amount_cents, 0) <> invoices.fees_amount_cents

union all

{# each tax line is rounded by itself, so the lines may differ from the total by half a cent a line #}
select
    invoices.organization_id,
    invoices.external_customer_id,
    'taxes_equal_lines' as rule,
    'int_invoices_taxed' as relation,
    invoices.invoice_id as row_key,
    'the tax lines add up to ' || cast(tax_lines.tax_amount_cents as varchar) || ', the total says '
    || cast(invoices.taxes_amount_cents as varchar) as detail
from invoices
inner join tax_lines
    on invoices.invoice_id = tax_lines.invoice_id
where abs(invoices.taxes_amount_cents - tax_lines.tax_amount_cents) * 2 > tax_lines.lines_count

union all

select
    invoices.organization_id,
    invoices.external_customer_id,
    'no_negative_total' as rule,
    'int_invoices_totalled' as relation,
    invoices.invoice_id as row_key,
    'the total is ' || cast(invoices.total_amount_cents as varchar) as detail
from invoices
where invoices.total_amount_cents < 0

union all

select
    invoices.organization_id,
    invoices.external_customer_id,
    'invoice_null_key' as rule,
    'int_invoices_totalled' as relation,
    invoices.invoice_id as row_key,
    'the invoice has no currency, no date, no number prefix or no total' as detail
from invoices
where
    invoices.currency is null
    or invoices.issuing_date is null
    or invoices.payment_due_date is null
    or invoices.document_number_prefix is null
    or invoices.total_amount_cents is null

union all

select
    fees.organization_id,
    fees.external_customer_id,
    'invoice_null_key' as rule,
    'int_fees_taxed' as relation,
    fees.fee_id as row_key,
    'the line ' || coalesce(fees.fee_name, fees.fee_code, fees.fee_type)
    || ' has no code, no currency or no units' as detail
from fees
where fees.fee_code is null or fees.currency is null or fees.units is null
