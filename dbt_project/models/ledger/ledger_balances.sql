with

balances as (

    select balances.*
    from {{ ref('int_balances') }} as balances
    left join {{ ref('gate_held_customers') }} as held
        on
            balances.organization_id = held.organization_id
            and balances.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('balances.close_id') }}

)

select
    balances.close_id,
    balances.organization_id,
    balances.external_customer_id,
    balances.source_type,
    balances.source_id,
    balances.currency,
    balances.origin_invoice_id,
    balances.balance_cents,
    balances.periods_left,
    balances.credits_balance,
    balances.consumed_credits,
    balances.is_live
from balances
