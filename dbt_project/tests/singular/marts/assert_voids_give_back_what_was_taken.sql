{# A voided invoice asks for nothing, and wallets get back at most what it took of them; no other invoice gives back. #}
with

recredits as (

    select
        moves.invoice_id,
        sum(moves.amount_cents) as recredited_cents
    from {{ ref('fct_wallet_transaction') }} as moves
    where moves.move_kind = 'recredited'
    group by moves.invoice_id

)

select
    invoices.invoice_id,
    invoices.invoice_status,
    invoices.due_amount_cents,
    recredits.recredited_cents
from {{ ref('fct_invoice') }} as invoices
left join recredits
    on invoices.invoice_id = recredits.invoice_id
where
    (invoices.invoice_status = 'voided' and invoices.due_amount_cents <> 0)
    or recredits.recredited_cents > case
        when invoices.invoice_status = 'voided' then invoices.prepaid_credit_amount_cents else 0
    end
