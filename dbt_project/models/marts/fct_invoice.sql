{{ config(materialized='incremental', pre_hook="{{ forget_changed('invoice_id') }}") }}

with

invoices as (

    select invoices.*
    from {{ ref('ledger_invoices') }} as invoices
    where {{ is_changed_for_mart('invoices.invoice_id') }}

),

closes as (

    select * from {{ ref('closes') }}

),

customers as (

    select * from {{ ref('ledger_parties') }}
    where party_role = 'customer'

),

voids as (

    select voids.*
    from {{ ref('ledger_invoice_voids') }} as voids
    inner join closes
        on voids.close_id = closes.close_id

),

{# set by credit notes against what is still to be paid of an invoice #}
offsets as (

    select
        notes.invoice_id,
        cast(sum(notes.offset_amount_cents) as bigint) as offset_amount_cents
    from {{ ref('ledger_credit_notes') }} as notes
    inner join closes
        on notes.close_id = closes.close_id
    group by notes.invoice_id

),

fee_spans as (

    select
        fees.close_id,
        fees.invoice_id,
        count(*) as lines_count,
        min(fees.from_date) as from_date,
        max(fees.to_date) as to_date
    from {{ ref('ledger_fees') }} as fees
    inner join invoices
        on
            fees.close_id = invoices.close_id
            and fees.invoice_id = invoices.invoice_id
    group by fees.close_id, fees.invoice_id

)

select
    invoices.invoice_id,
    invoices.organization_id,
    invoices.external_customer_id,
    customers.party_name as customer_name,
    customers.legal_name as customer_legal_name,
    customers.email as customer_email,
    customers.city as customer_city,
    customers.country as customer_country,
    invoices.billing_entity_code,
    invoices.invoice_number,
    invoices.customer_sequence,
    invoices.organization_sequence,
    invoices.invoice_type,
    case when voids.invoice_id is null then invoices.invoice_status else 'voided' end as invoice_status,
    invoices.finalized_at,
    voids.voided_at,
    voids.regenerated_invoice_id,
    originals.invoice_id as voided_invoice_id,
    invoices.issuing_date,
    invoices.payment_due_date,
    invoices.net_payment_term,
    fee_spans.from_date,
    fee_spans.to_date,
    invoices.purchase_order_number,
    {# an invoice may have no fee at all #}
    coalesce(fee_spans.lines_count, 0) as lines_count,
    invoices.currency,
    invoices.currency_exponent,
    invoices.fees_amount_cents,
    invoices.progressive_billing_credit_amount_cents,
    invoices.coupons_amount_cents,
    invoices.sub_total_excluding_taxes_amount_cents,
    invoices.taxes_amount_cents,
    invoices.sub_total_including_taxes_amount_cents,
    invoices.credit_notes_amount_cents,
    invoices.prepaid_credit_amount_cents,
    invoices.total_amount_cents,
    case
        when voids.invoice_id is null then invoices.total_amount_cents - coalesce(offsets.offset_amount_cents, 0)
        else 0
    end as due_amount_cents,
    invoices.close_id
from invoices
inner join closes
    on invoices.close_id = closes.close_id
left join customers
    on
        invoices.close_id = customers.close_id
        and invoices.invoice_id = customers.invoice_id
left join fee_spans
    on
        invoices.close_id = fee_spans.close_id
        and invoices.invoice_id = fee_spans.invoice_id
left join voids
    on invoices.invoice_id = voids.invoice_id
left join voids as originals
    on invoices.invoice_id = originals.regenerated_invoice_id
left join offsets
    on invoices.invoice_id = offsets.invoice_id
