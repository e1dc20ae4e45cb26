with

items as (

    select * from {{ ref('int_settlement') }}
    where row_kind = 'item'

),

notes as (

    select notes.*
    from {{ ref('int_credit_notes') }} as notes
    left join {{ ref('gate_held_customers') }} as held
        on
            notes.organization_id = held.organization_id
            and notes.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('notes.close_id') }}

)

select
    notes.close_id,
    notes.credit_note_id,
    notes.organization_id,
    notes.external_customer_id,
    notes.invoice_id,
    items.row_id as fee_id,
    cast({{ divide_half_away('items.item_e5', '100000') }} as bigint) as amount_cents,
    {{ e5_to_decimal('items.item_e5') }} as precise_amount_cents,
    {{ e5_to_decimal('items.coupon_share_e5') }} as precise_coupons_amount_cents,
    {{ e5_to_decimal('items.precise_taxes_e10') }} as precise_taxes_amount_cents
from items
inner join notes
    on items.parent_id = notes.credit_note_id
