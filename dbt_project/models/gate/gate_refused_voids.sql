{#
  Voids of invoices that cannot be: what the book asks for does not exist, or the invoice has something on it that a void
  would leave hanging. Their customers wait until the book says something else.
#}
with

voids as (

    select * from {{ ref('int_invoice_voids') }}

),

credited_invoices as (

    select
        notes.invoice_id,
        min(notes.issued_at) as issued_at
    from (
        select
            ledger_notes.invoice_id,
            ledger_notes.issued_at
        from {{ ref('stg_ledger__credit_notes') }} as ledger_notes

        union all

        select
            open_notes.invoice_id,
            open_notes.issued_at
        from {{ ref('int_credit_notes') }} as open_notes
    ) as notes
    group by notes.invoice_id

),

{# progressive invoices whose charge a standing invoice credits, by a close before or by this one #}
progressive_uses as (

    select
        uses.progressive_invoice_id,
        uses.invoice_id,
        voided.voided_at
    from (
        select
            ledger_postings.source_id as progressive_invoice_id,
            ledger_postings.invoice_id
        from {{ ref('stg_ledger__postings') }} as ledger_postings
        where ledger_postings.posting_kind = 'progressive_billing_credit' and ledger_postings.amount_cents > 0

        union all

        select
            open_postings.source_id as progressive_invoice_id,
            open_postings.invoice_id
        from {{ ref('int_postings') }} as open_postings
        where open_postings.posting_kind = 'progressive_billing_credit' and open_postings.amount_cents > 0
    ) as uses
    left join (
        {{ invoice_voids_known() | indent(8) }}
    ) as voided
        on uses.invoice_id = voided.invoice_id

),

credited_progressive as (

    select distinct voids.invoice_void_id
    from voids
    inner join progressive_uses
        on voids.invoice_id = progressive_uses.progressive_invoice_id
    where progressive_uses.voided_at is null or progressive_uses.voided_at > voids.voided_at

),

{# credits that were paid for: they are in the wallet #}
settled_purchases as (

    select
        moments.invoice_id,
        transactions.settled_at
    from (
        {{ wallet_purchase_invoices() | indent(8) }}
    ) as moments
    inner join {{ ref('int_wallet_transactions_settled') }} as transactions
        on
            moments.organization_id = transactions.organization_id
            and moments.request_id = transactions.wallet_transaction_id

),

judged as (

    select
        voids.organization_id,
        voids.external_customer_id,
        voids.invoice_void_id,
        voids.voided_at,
        case
            when voids.refusal is not null then voids.refusal
            when totals.invoice_status = 'closed' then 'the invoice is empty and was never issued'
            when credited_invoices.issued_at <= voids.voided_at
                then 'the invoice has credit notes: credit the rest of it instead'
            when settled_purchases.settled_at <= voids.voided_at
                then 'its credits are paid: refund them by a credit note instead'
            when credited_progressive.invoice_void_id is not null
                then 'a later invoice credits what it charged: void that one first'
        end as refusal
    from voids
    left join {{ ref('int_invoices_totalled') }} as totals
        on voids.invoice_id = totals.invoice_id
    left join credited_invoices
        on voids.invoice_id = credited_invoices.invoice_id
    left join settled_purchases
        on voids.invoice_id = settled_purchases.invoice_id
    left join credited_progressive
        on voids.invoice_void_id = credited_progressive.invoice_void_id

)

select
    judged.organization_id,
    judged.external_customer_id,
    judged.invoice_void_id,
    judged.voided_at,
    judged.refusal
from judged
where judged.refusal is not null and judged.external_customer_id is not null
