{#
  In the cross-vendor table the header row and the line rows of an invoice add up to its total, in
  major units.
#}
{{ config(tags=['every_line']) }}
with

record_sums as (

    select
        line_items.header_id,
        sum(line_items.total_amount) as total_amount,
        sum(case when line_items.record_type = 'header' then 1 else 0 end) as headers_count
    from {{ ref('billing__line_item_enhanced') }} as line_items
    group by line_items.header_id

)

select
    invoices.invoice_id,
    invoices.total_amount_cents,
    record_sums.total_amount
from {{ ref('fct_invoice') }} as invoices
left join record_sums
    on invoices.invoice_id = record_sums.header_id
where
    record_sums.header_id is null
    or record_sums.headers_count <> 1
    or invoices.total_amount_cents
    <> record_sums.total_amount * {{ power_of_ten('invoices.currency_exponent') }}
