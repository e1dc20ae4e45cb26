select
    top_ups.close_id,
    top_ups.organization_id,
    top_ups.external_customer_id,
    top_ups.wallet_transaction_id,
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
from {{ source('raw', 'close_top_ups') }} as top_ups
inner join {{ source('raw', 'close_scope') }} as close_scope
    on
        top_ups.close_id = close_scope.close_id
        and top_ups.organization_id = close_scope.organization_id
