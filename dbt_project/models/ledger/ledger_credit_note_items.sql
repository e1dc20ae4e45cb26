with

items as (

    select items.*
    from {{ ref('int_credit_note_items') }} as items
    left join {{ ref('gate_held_customers') }} as held
        on
            items.organization_id = held.organization_id
            and items.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('items.close_id') }}

)

select
    items.close_id,
    items.credit_note_id,
    items.organization_id,
    items.external_customer_id,
    items.invoice_id,
    items.fee_id,
    items.amount_cents,
    items.precise_amount_cents,
    items.precise_coupons_amount_cents,
    items.precise_taxes_amount_cents
from items
