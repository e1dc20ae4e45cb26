with

notes as (

    select * from {{ ref('stg_book__credit_notes') }}

),

note_references as (

    select * from {{ ref('int_invoice_references') }}
    where reference_type = 'credit_note' and invoice_id is not null

),

payments as (

    select
        payment_references.invoice_id,
        payment_references.referred_at as paid_at,
        payments.amount_cents
    from {{ ref('int_invoice_references') }} as payment_references
    inner join {{ ref('stg_book__payments') }} as payments
        on
            payment_references.organization_id = payments.organization_id
            and payment_references.reference_id = payments.payment_id
    where payment_references.reference_type = 'payment' and payment_references.invoice_id is not null

),

unused_fees as (

    select * from {{ ref('int_unused_advance_fees') }}
    where policy <> 'skip'

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

finalized_invoices as (

    select * from {{ ref('stg_ledger__invoices') }}

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}
    where moment_state <> 'running'

),

issued as (

    select * from {{ ref('stg_ledger__credit_notes') }}

),

voids as (

    {{ invoice_voids_known() | indent(4) }}

),

{# the invoice that billed the plan fee of which days are unused #}
credited_moments as (

    select
        finalized_moments.moment_id,
        finalized_moments.invoice_id,
        finalized_invoices.external_customer_id,
        finalized_invoices.currency,
        finalized_invoices.finalized_at as finalizes_at,
        finalized_invoices.instant_rank
    from finalized_moments
    inner join finalized_invoices
        on finalized_moments.invoice_id = finalized_invoices.invoice_id

    union all

    select
        scheduled.moment_id,
        scheduled.invoice_id,
        scheduled.external_customer_id,
        scheduled.currency,
        scheduled.finalizes_at,
        scheduled.instant_rank
    from scheduled

),

requests as (

    select
        {{ surrogate_key(['notes.organization_id', "'credit_note'", 'notes.credit_note_code']) }} as credit_note_id,
        notes.organization_id,
        note_references.external_customer_id,
        note_references.invoice_id,
        'requested' as request_kind,
        notes.credit_note_code,
        notes.reason,
        note_references.match_external_subscription_id,
        cast(null as varchar) as credited_moment_id,
        cast(null as varchar) as policy,
        note_references.currency,
        notes.created_at as asked_at,
        greatest(notes.created_at, note_references.finalizes_at) as issued_at,
        8 as instant_rank,
        coalesce(notes.credit_amount_cents, 0) as credit_amount_cents,
        coalesce(notes.refund_amount_cents, 0) as refund_amount_cents,
        coalesce(notes.offset_amount_cents, 0) as offset_amount_cents,
        cast(null as decimal(38, 0)) as unused_e5,
        coalesce(notes.credit_note_code, '') as order_key
    from notes
    inner join note_references
        on
            notes.organization_id = note_references.organization_id
            and notes.credit_note_code = note_references.reference_id

    union all

    {# plan amount x unused days / days of the full period, cut after five decimals #}
    select
        {{ surrogate_key(["'unused'", 'unused_fees.moment_id']) }} as credit_note_id,
        unused_fees.organization_id,
        credited_moments.external_customer_id,
        credited_moments.invoice_id,
        'unused_days' as request_kind,
        cast(null as varchar) as credit_note_code,
        'order_change' as reason,
        cast(null as varchar) as match_external_subscription_id,
        unused_fees.credited_moment_id,
        unused_fees.policy,
        credited_moments.currency,
        unused_fees.issued_at as asked_at,
        greatest(unused_fees.issued_at, credited_moments.finalizes_at) as issued_at,
        {# of a draft that becomes final together with the closing invoice: between the two #}
        case
            when
                credited_moments.finalizes_at > unused_fees.issued_at
                and credited_moments.instant_rank >= unused_fees.instant_rank
                then 8
            else unused_fees.instant_rank
        end as instant_rank,
        0 as credit_amount_cents,
        0 as refund_amount_cents,
        0 as offset_amount_cents,
        cast(
            {{ divide_integers(
                'cast(unused_fees.plan_amount_cents as ' ~ wide_integer() ~ ') * 100000 * unused_fees.unused_days_count',
                'unused_fees.full_days_count'
            ) }} as decimal(38, 0)
        ) as unused_e5,
        {# as the closing invoice has it #}
        credited_moments.currency || ' ' || unused_fees.external_subscription_id as order_key
    from unused_fees
    inner join credited_moments
        on unused_fees.credited_moment_id = credited_moments.moment_id
    where unused_fees.unused_days_count > 0

    union all

    {# what a progressive invoice charged above what the usage came to; how much settlement shows #}
    select
        credits.credit_note_id,
        credits.organization_id,
        credits.external_customer_id,
        credits.progressive_invoice_id as invoice_id,
        'progressive_billing' as request_kind,
        cast(null as varchar) as credit_note_code,
        'other' as reason,
        cast(null as varchar) as match_external_subscription_id,
        cast(null as varchar) as credited_moment_id,
        'credit' as policy,
        ordered.currency,
        ordered.finalizes_at as asked_at,
        ordered.finalizes_at as issued_at,
        ordered.instant_rank,
        0 as credit_amount_cents,
        0 as refund_amount_cents,
        0 as offset_amount_cents,
        cast(null as decimal(38, 0)) as unused_e5,
        '' as order_key
    from {{ ref('int_progressive_credits') }} as credits
    inner join {{ ref('int_invoices_ordered') }} as ordered
        on credits.invoice_id = ordered.invoice_id
    where credits.moment_state = 'due'

    union all

    {# what late knowledge takes off invoices of a period, issued with the next invoice of the subscription #}
    select
        restated.credit_note_id,
        next_moments.organization_id,
        credited_moments.external_customer_id,
        credited_moments.invoice_id,
        'late_usage' as request_kind,
        cast(null as varchar) as credit_note_code,
        'order_change' as reason,
        cast(null as varchar) as match_external_subscription_id,
        cast(null as varchar) as credited_moment_id,
        'credit' as policy,
        credited_moments.currency,
        next_moments.finalizes_at as asked_at,
        greatest(next_moments.finalizes_at, credited_moments.finalizes_at) as issued_at,
        8 as instant_rank,
        0 as credit_amount_cents,
        0 as refund_amount_cents,
        0 as offset_amount_cents,
        cast(null as decimal(38, 0)) as unused_e5,
        lpad(cast({{ epoch_seconds('credited_moments.finalizes_at') }} as varchar), 12, '0') as order_key
    from (
        select distinct
            {{ late_usage_note_id('credits') }} as credit_note_id,
            credits.credited_moment_id,
            credits.next_moment_id
        from {{ ref('int_late_usage_credits') }} as credits
    ) as restated
    inner join {{ ref('int_billing_moments') }} as next_moments
        on restated.next_moment_id = next_moments.moment_id
    inner join credited_moments
        on restated.credited_moment_id = credited_moments.moment_id

),

{# a purchase of credits is paid when they are settled, whether or not a payment says so #}
purchases as (

    select
        credited_moments.invoice_id,
        transactions.settled_at as paid_at,
        transactions.amount_cents
    from {{ ref('int_one_off_moments') }} as one_offs
    inner join credited_moments
        on one_offs.moment_id = credited_moments.moment_id
    inner join {{ ref('int_wallet_transactions_settled') }} as transactions
        on
            one_offs.organization_id = transactions.organization_id
            and one_offs.request_id = transactions.wallet_transaction_id
    where one_offs.reason = 'wallet_purchase' and transactions.settled_at is not null

),

settled_purchases as (

    select
        requests.credit_note_id,
        max(purchases.amount_cents) as paid_amount_cents
    from requests
    inner join purchases
        on
            requests.invoice_id = purchases.invoice_id
            and requests.asked_at >= purchases.paid_at
    group by requests.credit_note_id

),

paid as (

    select
        requests.credit_note_id,
        cast(sum(payments.amount_cents) as bigint) as paid_amount_cents
    from requests
    inner join payments
        on
            requests.invoice_id = payments.invoice_id
            and requests.asked_at >= payments.paid_at
    group by requests.credit_note_id

),

{# what earlier closes credited on the same invoice #}
credited_before as (

    select
        issued.invoice_id,
        cast(sum(issued.refund_amount_cents) as bigint) as refund_amount_cents,
        cast(sum(issued.offset_amount_cents) as bigint) as offset_amount_cents,
        sum(issued.taxes_amount_cents - issued.precise_taxes_amount_cents) as tax_rounding
    from issued
    group by issued.invoice_id

)

select
    requests.credit_note_id,
    requests.organization_id,
    requests.external_customer_id,
    requests.invoice_id,
    requests.request_kind,
    requests.credit_note_code,
    requests.reason,
    requests.match_external_subscription_id,
    requests.credited_moment_id,
    requests.policy,
    requests.currency,
    requests.asked_at,
    requests.issued_at,
    cast(requests.instant_rank as integer) as instant_rank,
    cast(requests.credit_amount_cents as bigint) as credit_amount_cents,
    cast(requests.refund_amount_cents as bigint) as refund_amount_cents,
    cast(requests.offset_amount_cents as bigint) as offset_amount_cents,
    requests.unused_e5,
    requests.order_key,
    voids.invoice_id is not null as is_invoice_voided,
    greatest(coalesce(paid.paid_amount_cents, 0), coalesce(settled_purchases.paid_amount_cents, 0))
        as paid_amount_cents,
    coalesce(credited_before.refund_amount_cents, 0) as ledger_refund_amount_cents,
    finalized_invoices.sub_total_including_taxes_amount_cents as ledger_sub_total_cents,
    {# what earlier closes took off what is due of it: credit notes, prepaid credits and what was set off #}
    cast(
        coalesce(
            finalized_invoices.sub_total_including_taxes_amount_cents - finalized_invoices.total_amount_cents, 0
        ) + coalesce(credited_before.offset_amount_cents, 0) as bigint
    ) as ledger_covered_amount_cents,
    cast(coalesce(credited_before.tax_rounding, 0) * 100000 as decimal(38, 0)) as ledger_tax_rounding_e5
from requests
left join issued
    on requests.credit_note_id = issued.credit_note_id
left join voids
    on
        requests.invoice_id = voids.invoice_id
        and requests.issued_at > voids.voided_at
left join paid
    on requests.credit_note_id = paid.credit_note_id
left join settled_purchases
    on requests.credit_note_id = settled_purchases.credit_note_id
left join credited_before
    on requests.invoice_id = credited_before.invoice_id
left join finalized_invoices
    on requests.invoice_id = finalized_invoices.invoice_id
inner join {{ ref('stg_events__close_scope') }} as close_scope
    on
        requests.organization_id = close_scope.organization_id
        and requests.issued_at <= close_scope.as_of
{# of a plan fee that was voided no days are credited #}
where issued.credit_note_id is null and (requests.request_kind = 'requested' or voids.invoice_id is null)
