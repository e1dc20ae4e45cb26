{#
  All notes of an invoice together give back at most what it and the threshold invoices that it credits asked for, and no
  fee is credited beyond its amount.
#}
with

noted as (

    select
        notes.invoice_id,
        sum(notes.total_amount_cents) as noted_cents
    from {{ ref('fct_credit_note') }} as notes
    group by notes.invoice_id

),

credited as (

    select
        items.fee_id,
        sum(items.precise_amount_cents) as credited_cents
    from {{ ref('fct_credit_note_item') }} as items
    group by items.fee_id

),

{# what was paid with threshold invoices was taxed there; the highest rate of an invoice bounds that #}
rates as (

    select
        lines.invoice_id,
        max(lines.taxes_rate) as taxes_rate
    from {{ ref('fct_invoice_line') }} as lines
    group by lines.invoice_id

)

select
    invoices.invoice_id as row_id,
    noted.noted_cents as given_back_cents,
    invoices.sub_total_including_taxes_amount_cents as asked_cents
from noted
inner join {{ ref('fct_invoice') }} as invoices
    on noted.invoice_id = invoices.invoice_id
inner join rates
    on invoices.invoice_id = rates.invoice_id
where
    noted.noted_cents > case
        when invoices.progressive_billing_credit_amount_cents = 0 then invoices.sub_total_including_taxes_amount_cents
        else ceil(invoices.fees_amount_cents * (100 + rates.taxes_rate) / 100)
    end

union all

select
    lines.fee_id as row_id,
    credited.credited_cents as given_back_cents,
    lines.amount_cents as asked_cents
from credited
inner join {{ ref('fct_invoice_line') }} as lines
    on credited.fee_id = lines.fee_id
where credited.credited_cents > lines.amount_cents
