with

top_ups as (

    select * from {{ ref('ledger_wallet_top_ups') }}

),

closes as (

    select * from {{ ref('closes') }}

),

{# the invoice of a purchase #}
moments as (

    select * from {{ ref('ledger_moments') }}
    where reason = 'wallet_purchase'

)

select
    top_ups.wallet_transaction_id,
    top_ups.organization_id,
    top_ups.external_customer_id,
    top_ups.wallet_code,
    top_ups.rule_position,
    top_ups.trigger_type,
    top_ups.method,
    top_ups.transaction_kind,
    top_ups.transaction_name,
    top_ups.topped_up_at,
    top_ups.credits,
    top_ups.ongoing_credits,
    top_ups.pending_credits,
    moments.invoice_id,
    top_ups.close_id
from top_ups
inner join closes
    on top_ups.close_id = closes.close_id
left join moments
    on
        top_ups.organization_id = moments.organization_id
        and top_ups.wallet_transaction_id = moments.request_id
