with

items as (

    select * from {{ ref('ledger_credit_note_items') }}

),

closes as (

    select * from {{ ref('closes') }}

)

select
    items.credit_note_id,
    items.organization_id,
    items.external_customer_id,
    items.invoice_id,
    items.fee_id,
    items.amount_cents,
    items.precise_amount_cents,
    items.precise_coupons_amount_cents,
    items.precise_taxes_amount_cents,
    items.close_id
from items
inner join closes
    on items.close_id = closes.close_id
