{{ config(materialized='rounds') }}

with

invoices as (

    {# the invoices of this round that have not been settled: a round that finds none ends the settlement #}
    select invoices.*
    from {{ ref('int_invoices_ordered') }} as invoices
    left join {{ this }} as posted
        on
            invoices.invoice_id = posted.invoice_id
            and posted.posting_kind = 'tax'
    where
        invoices.round_no = {{ current_round() }}
        and posted.invoice_id is null

),

tax_sums as (

    select
        taxes.invoice_id,
        cast(sum(taxes.scaled_tax) as {{ wide_integer() }}) as scaled_tax
    from {{ ref('int_invoices_taxed') }} as taxes
    group by taxes.invoice_id

),

{#
  every settled invoice leaves a tax posting, even of 0: one rounding for the whole invoice (semantics/invoice.md
  section 1)
#}
taxes as (

    select
        invoices.close_id,
        invoices.invoice_id,
        invoices.organization_id,
        'tax' as posting_kind,
        cast(null as varchar) as source_id,
        invoices.round_no,
        case
            when tax_sums.invoice_id is null then cast(0 as bigint)
            else {{ cents_of_scaled_percents('tax_sums.scaled_tax') }}
        end as amount_cents
    from invoices
    left join tax_sums
        on invoices.invoice_id = tax_sums.invoice_id

)

select
    {{ surrogate_key(['taxes.invoice_id', 'taxes.posting_kind', 'taxes.source_id']) }} as posting_id,
    taxes.close_id,
    taxes.invoice_id,
    taxes.organization_id,
    taxes.posting_kind,
    taxes.source_id,
    taxes.round_no,
    taxes.amount_cents,
    cast(0 as bigint) as balance_cents
from taxes
