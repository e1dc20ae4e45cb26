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

{# invoices that credit a threshold's invoice before them, by a close before or by this one #}
crediting_invoices as (

    select postings.invoice_id
    from {{ ref('stg_ledger__postings') }} as postings
    where postings.posting_kind = 'progressive_billing_credit'

    union

    select credits.invoice_id
    from {{ ref('int_progressive_credits') }} as credits

),

{# subscriptions whose thresholds count what their invoices billed #}
threshold_subscriptions as (

    select distinct
        moments.organization_id,
        moments.external_subscription_id
    from {{ ref('int_thresholds') }} as thresholds
    inner join {{ ref('int_billing_moments') }} as moments
        on thresholds.threshold_set_id = moments.moment_id

),

threshold_invoices as (

    select moments.invoice_id
    from {{ ref('stg_ledger__moments') }} as moments
    inner join threshold_subscriptions
        on
            moments.organization_id = threshold_subscriptions.organization_id
            and moments.external_subscription_id = threshold_subscriptions.external_subscription_id

    union

    select scheduled.invoice_id
    from {{ ref('int_invoices_scheduled') }} as scheduled
    inner join threshold_subscriptions
        on
            scheduled.organization_id = threshold_subscriptions.organization_id
            and scheduled.external_subscription_id = threshold_subscriptions.external_subscription_id

),

{# credits that were paid for: they are in the wallet #}
settled_purchases as (

    select
        moments.invoice_id,
        transactions.settled_at
    from (
        select
            ledger_moments.invoice_id,
            ledger_moments.organization_id,
            ledger_moments.request_id
        from {{ ref('stg_ledger__moments') }} as ledger_moments
        where ledger_moments.reason = 'wallet_purchase'

        union all

        select
            scheduled.invoice_id,
            one_offs.organization_id,
            one_offs.request_id
        from {{ ref('int_one_off_moments') }} as one_offs
        inner join {{ ref('int_invoices_scheduled') }} as scheduled
            on one_offs.moment_id = scheduled.moment_id
        where one_offs.reason = 'wallet_purchase'
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
            when crediting_invoices.invoice_id is not null
                then 'not built yet: the void of an invoice that credits one of a usage threshold'
            when threshold_invoices.invoice_id is not null and not voids.is_regenerated
                then 'not built yet: the void of an invoice that usage thresholds count'
        end as refusal
    from voids
    left join {{ ref('int_invoices_totalled') }} as totals
        on voids.invoice_id = totals.invoice_id
    left join credited_invoices
        on voids.invoice_id = credited_invoices.invoice_id
    left join settled_purchases
        on voids.invoice_id = settled_purchases.invoice_id
    left join crediting_invoices
        on voids.invoice_id = crediting_invoices.invoice_id
    left join threshold_invoices
        on voids.invoice_id = threshold_invoices.invoice_id

)

select
    judged.organization_id,
    judged.external_customer_id,
    judged.invoice_void_id,
    judged.voided_at,
    judged.refusal
from judged
where judged.refusal is not null and judged.external_customer_id is not null
