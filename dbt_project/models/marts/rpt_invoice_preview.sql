with

drafted as (

    select * from {{ ref('int_invoices_drafted') }}

),

previewed as (

    select * from {{ ref('int_invoices_previewed') }}

),

invoices as (

    select * from drafted
    union all
    select * from previewed

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

{# what may be used when the invoice is finalised #}
open_balances as (

    select
        balances.organization_id,
        balances.external_customer_id,
        balances.currency,
        sum(case when balances.source_type = 'credit_note' then balances.balance_cents else 0 end)
            as credit_notes_balance_cents,
        sum(case when balances.source_type = 'wallet' then balances.balance_cents else 0 end) as wallets_balance_cents
    from {{ ref('int_balances') }} as balances
    where balances.is_live
    group by balances.organization_id, balances.external_customer_id, balances.currency

)

select
    invoices.invoice_id,
    invoices.organization_id,
    invoices.external_customer_id,
    invoices.invoice_type,
    invoices.invoice_status as invoice_state,
    close_scope.as_of,
    invoices.billing_at,
    invoices.finalizes_at,
    invoices.issuing_date,
    invoices.payment_due_date,
    invoices.purchase_order_number,
    invoices.currency,
    invoices.currency_exponent,
    invoices.unpriced_fees_count,
    invoices.fees_amount_cents,
    invoices.progressive_billing_credit_amount_cents,
    invoices.taxes_amount_cents,
    invoices.total_amount_cents,
    cast(coalesce(open_balances.credit_notes_balance_cents, 0) as bigint) as credit_notes_balance_cents,
    cast(coalesce(open_balances.wallets_balance_cents, 0) as bigint) as wallets_balance_cents
from invoices
inner join close_scope
    on invoices.organization_id = close_scope.organization_id
left join open_balances
    on
        invoices.organization_id = open_balances.organization_id
        and invoices.external_customer_id = open_balances.external_customer_id
        and invoices.currency = open_balances.currency
