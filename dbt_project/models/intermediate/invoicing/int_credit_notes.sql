with

issued as (

    select * from {{ ref('int_settlement') }}
    where row_kind = 'issue' and refusal is null

),

requests as (

    select * from {{ ref('int_credit_note_requests') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

)

select
    issued.row_id as credit_note_id,
    close_scope.close_id,
    requests.organization_id,
    requests.external_customer_id,
    issued.invoice_id,
    requests.request_kind,
    requests.credit_note_code,
    requests.reason,
    requests.issued_at,
    issued.source_order as issue_order,
    issued.currency,
    {{ e5_to_decimal('issued.item_e5') }} as items_amount_cents,
    {{ e5_to_decimal('issued.coupon_share_e5') }} as precise_coupons_amount_cents,
    issued.taxes_amount_cents,
    {{ e5_to_decimal('issued.precise_taxes_e10') }} as precise_taxes_amount_cents,
    issued.balance_cents as credit_amount_cents,
    issued.refund_cents as refund_amount_cents,
    issued.offset_cents as offset_amount_cents,
    issued.amount_cents as total_amount_cents
from issued
inner join requests
    on issued.row_id = requests.credit_note_id
inner join close_scope
    on requests.organization_id = close_scope.organization_id
