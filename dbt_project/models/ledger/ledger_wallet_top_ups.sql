with

top_ups as (

    select top_ups.*
    from {{ ref('int_top_ups') }} as top_ups
    left join {{ ref('gate_held_customers') }} as held
        on
            top_ups.organization_id = held.organization_id
            and top_ups.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('top_ups.close_id') }}

)

select
    top_ups.close_id,
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
    top_ups.pending_credits
from top_ups
