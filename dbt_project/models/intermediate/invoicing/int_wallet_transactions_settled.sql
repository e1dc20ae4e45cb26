{#
  Wallet transactions with when they count (docs/billing-rules.md, Wallets): a purchase when the book calls it settled,
  else when the payments of its invoice reach what it costs.
#}
with

transactions as (

    select * from {{ ref('int_wallet_transactions') }}

),

purchase_invoices as (

    {{ wallet_purchase_invoices() | indent(4) }}

),

payments as (

    select
        payment_references.invoice_id,
        payment_references.referred_at as paid_at,
        payments.payment_id,
        payments.amount_cents
    from {{ ref('int_invoice_references') }} as payment_references
    inner join {{ ref('stg_book__payments') }} as payments
        on
            payment_references.organization_id = payments.organization_id
            and payment_references.reference_id = payments.payment_id
    where payment_references.reference_type = 'payment'

),

paying as (

    select
        transactions.organization_id,
        transactions.wallet_transaction_id,
        transactions.amount_cents,
        payments.paid_at,
        sum(payments.amount_cents) over (
            partition by transactions.organization_id, transactions.wallet_transaction_id
            order by payments.paid_at, {{ binary_order('payments.payment_id') }}
            rows between unbounded preceding and current row
        ) as paid_cents
    from transactions
    inner join purchase_invoices
        on
            transactions.organization_id = purchase_invoices.organization_id
            and transactions.wallet_transaction_id = purchase_invoices.request_id
    inner join payments
        on purchase_invoices.invoice_id = payments.invoice_id
    where transactions.settled_at is null

),

paid as (

    select
        paying.organization_id,
        paying.wallet_transaction_id,
        min(paying.paid_at) as paid_at
    from paying
    where paying.paid_cents >= paying.amount_cents
    group by paying.organization_id, paying.wallet_transaction_id

),

{# a purchase is given up by the void of its invoice, or by a credit note that offsets it, which it does whole #}
released_invoices as (

    select
        voided.invoice_id,
        voided.voided_at as given_up_at
    from (
        {{ invoice_voids_known() | indent(8) }}
    ) as voided

    union all

    select
        note_references.invoice_id,
        note_references.referred_at as given_up_at
    from {{ ref('int_invoice_references') }} as note_references
    inner join {{ ref('stg_book__credit_notes') }} as notes
        on
            note_references.organization_id = notes.organization_id
            and note_references.reference_id = notes.credit_note_code
    where note_references.reference_type = 'credit_note' and notes.offset_amount_cents > 0

),

given_up as (

    select
        purchase_invoices.organization_id,
        purchase_invoices.request_id as wallet_transaction_id,
        min(released_invoices.given_up_at) as given_up_at
    from purchase_invoices
    inner join released_invoices
        on purchase_invoices.invoice_id = released_invoices.invoice_id
    group by purchase_invoices.organization_id, purchase_invoices.request_id

),

settled as (

    select
        transactions.*,
        case
            when transactions.settled_at is not null then transactions.settled_at
            when paid.paid_at is not null then greatest(paid.paid_at, transactions.created_at)
        end as counts_at,
        given_up.given_up_at
    from transactions
    left join paid
        on
            transactions.organization_id = paid.organization_id
            and transactions.wallet_transaction_id = paid.wallet_transaction_id
    left join given_up
        on
            transactions.organization_id = given_up.organization_id
            and transactions.wallet_transaction_id = given_up.wallet_transaction_id

)

select
    settled.organization_id,
    settled.wallet_transaction_id,
    settled.wallet_code,
    settled.rule_position,
    settled.external_customer_id,
    settled.transaction_kind,
    settled.transaction_name,
    settled.created_at,
    settled.counts_at as settled_at,
    {# from when on a purchase is awaited no more #}
    settled.given_up_at,
    {# where it stands at its instant; what is paid later is a fact like any other #}
    case
        when settled.transaction_kind = 'purchased' and settled.counts_at > settled.created_at then 2
        else settled.instant_rank
    end as instant_rank,
    settled.transaction_priority,
    settled.currency,
    settled.currency_exponent,
    settled.amount_cents,
    settled.credits_e5
from settled
