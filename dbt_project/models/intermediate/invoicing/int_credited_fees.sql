{#
  Every fee of every invoice that a credit note of this close is about, with what the note asks to credit of it. What is
  known from the ledger (shares, earlier notes) stands here; an invoice of the same close is still being settled. What was
  asked of a draft is in proportion to the line as it stood then (docs/billing-rules.md, Credit notes).
#}
with

requests as (

    select * from {{ ref('int_credit_note_requests') }}

),

items as (

    select * from {{ ref('stg_book__credit_note_items') }}

),

ledger_fees as (

    select * from {{ ref('stg_ledger__fees') }}
    where invoice_id in (select requests.invoice_id from requests)

),

{# what threshold invoices had charged of the lines: it was paid with them, so late usage gives it back as well #}
progressive_shares as (

    select
        shares.fee_id,
        shares.share_cents
    from {{ ref('int_progressive_shares') }} as shares

    union all

    select
        ledger_fees.fee_id,
        least(progressive_fees.amount_cents, ledger_fees.amount_cents) as share_cents
    from ledger_fees
    inner join {{ ref('stg_ledger__postings') }} as postings
        on
            ledger_fees.invoice_id = postings.invoice_id
            and postings.posting_kind = 'progressive_billing_credit'
    inner join {{ ref('stg_ledger__fees') }} as progressive_fees
        on
            postings.source_id = progressive_fees.invoice_id
            and ledger_fees.external_subscription_id = progressive_fees.external_subscription_id
            and ledger_fees.fee_type = progressive_fees.fee_type
            and ledger_fees.fee_code = progressive_fees.fee_code
            and ledger_fees.from_date = progressive_fees.from_date
            and coalesce(ledger_fees.filter_values, '') = coalesce(progressive_fees.filter_values, '')
            and coalesce(ledger_fees.group_values, '') = coalesce(progressive_fees.group_values, '')

),

ledger_items as (

    select
        items.fee_id,
        sum(items.precise_amount_cents) as precise_amount_cents
    from {{ ref('stg_ledger__credit_note_items') }} as items
    group by items.fee_id

),

open_fees as (

    select * from {{ ref('int_fees_priced') }}
    where invoice_id in (select requests.invoice_id from requests)

),

fees as (

    select
        ledger_fees.fee_id,
        ledger_fees.invoice_id,
        ledger_fees.moment_id,
        ledger_fees.external_subscription_id,
        ledger_fees.fee_type,
        ledger_fees.fee_code,
        ledger_fees.amount_cents,
        {{ decimal_to_e10('ledger_fees.precise_amount_cents') }} as precise_e10,
        ledger_fees.taxes_rate,
        cast(ledger_fees.precise_coupons_amount_cents * 100000 as decimal(38, 0)) as ledger_share_e5
    from ledger_fees

    union all

    select
        open_fees.fee_id,
        open_fees.invoice_id,
        open_fees.moment_id,
        open_fees.external_subscription_id,
        open_fees.fee_type,
        open_fees.fee_code,
        open_fees.amount_cents,
        open_fees.precise_e10,
        open_fees.taxes_rate,
        cast(null as decimal(38, 0)) as ledger_share_e5
    from open_fees

),

{# periods of drafts that notes are about, and the charges of them that a refresh leaves alone #}
noted_moments as (

    select * from {{ ref('int_restated_moments') }}
    where moment_state = 'noted'

),

draft_fees as (

    select * from {{ ref('int_draft_fees') }}

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

invoiced_moments as (

    select
        scheduled.moment_id,
        scheduled.invoice_id
    from {{ ref('int_invoices_scheduled') }} as scheduled

    union all

    select
        ledger_moments.moment_id,
        ledger_moments.invoice_id
    from {{ ref('stg_ledger__moments') }} as ledger_moments

),

credited as (

    select
        requests.credit_note_id,
        requests.organization_id,
        requests.credit_note_code,
        requests.match_external_subscription_id,
        requests.credited_moment_id,
        requests.request_kind,
        fees.*,
        {# the line as it stood when the note was asked for #}
        case
            when
                noted_moments.moment_id is not null
                and fees.fee_type in ('charge', 'true_up', 'commitment')
                and not coalesce(fees.fee_type = 'charge' and charges.is_pay_in_advance, false)
                then coalesce(draft_fees.amount_cents, 0)
            else fees.amount_cents
        end as draft_amount_cents
    from requests
    inner join fees
        on requests.invoice_id = fees.invoice_id
    left join noted_moments
        on
            requests.organization_id = noted_moments.organization_id
            and requests.credit_note_code = noted_moments.credit_note_code
            and fees.moment_id = noted_moments.period_moment_id
    left join charges
        on
            noted_moments.organization_id = charges.organization_id
            and noted_moments.plan_code = charges.plan_code
            and noted_moments.plan_effective_at = charges.effective_at
            and fees.fee_code = charges.charge_code
    left join draft_fees
        on
            requests.organization_id = draft_fees.organization_id
            and requests.credit_note_code = draft_fees.credit_note_code
            and fees.fee_id = draft_fees.fee_id

    union all

    {# lines of the draft that came to nothing before it was final #}
    select
        requests.credit_note_id,
        requests.organization_id,
        requests.credit_note_code,
        requests.match_external_subscription_id,
        requests.credited_moment_id,
        requests.request_kind,
        draft_fees.fee_id,
        requests.invoice_id,
        draft_fees.period_moment_id as moment_id,
        draft_fees.external_subscription_id,
        draft_fees.fee_type,
        draft_fees.fee_code,
        0 as amount_cents,
        0 as precise_e10,
        0 as taxes_rate,
        0 as ledger_share_e5,
        draft_fees.amount_cents as draft_amount_cents
    from requests
    inner join draft_fees
        on
            requests.organization_id = draft_fees.organization_id
            and requests.credit_note_code = draft_fees.credit_note_code
    inner join invoiced_moments
        on
            draft_fees.period_moment_id = invoiced_moments.moment_id
            and requests.invoice_id = invoiced_moments.invoice_id
    left join fees
        on draft_fees.fee_id = fees.fee_id
    where fees.fee_id is null

),

{# a code that names several fees takes them in order, each up to its amount; what is too much stays on the first #}
asked as (

    select
        credited.credit_note_id,
        credited.fee_id,
        items.item_position,
        items.amount_cents as asked_amount_cents,
        credited.draft_amount_cents as amount_cents,
        sum(credited.draft_amount_cents) over (
            partition by credited.credit_note_id, items.item_position
            order by credited.draft_amount_cents desc, credited.fee_id asc
            rows between unbounded preceding and current row
        ) - credited.draft_amount_cents as amount_before_cents,
        row_number() over (
            partition by credited.credit_note_id, items.item_position
            order by credited.draft_amount_cents desc, credited.fee_id asc
        ) as place,
        sum(credited.draft_amount_cents) over (
            partition by credited.credit_note_id, items.item_position
        ) as all_amount_cents
    from credited
    inner join items
        on
            credited.organization_id = items.organization_id
            and credited.credit_note_code = items.credit_note_code
            and (
                (
                    items.fee_code = 'subscription'
                    and credited.fee_type = 'subscription'
                    and coalesce(credited.match_external_subscription_id, credited.external_subscription_id)
                    = credited.external_subscription_id
                )
                or (items.fee_code = 'credit' and credited.fee_type = 'credit')
                or (items.fee_code <> 'subscription' and credited.fee_code = items.fee_code)
            )

),

{# late usage names the very fees #}
restated as (

    select
        {{ late_usage_note_id('credits') }} as credit_note_id,
        credits.credited_fee_id as fee_id,
        credits.credited_cents as asked_amount_cents
    from {{ ref('int_late_usage_credits') }} as credits

),

asked_of_fees as (

    select
        asked.credit_note_id,
        asked.fee_id,
        cast(
            sum(
                least(greatest(asked.asked_amount_cents - asked.amount_before_cents, 0), asked.amount_cents)
                + case
                    when asked.place = 1 then greatest(asked.asked_amount_cents - asked.all_amount_cents, 0)
                    else 0
                end
            ) as bigint
        ) as asked_amount_cents
    from asked
    group by asked.credit_note_id, asked.fee_id

    union all

    select
        restated.credit_note_id,
        restated.fee_id,
        restated.asked_amount_cents
    from restated

)

select
    credited.credit_note_id,
    credited.fee_id,
    credited.invoice_id,
    credited.amount_cents,
    credited.draft_amount_cents,
    cast(credited.precise_e10 as decimal(38, 0)) as precise_e10,
    credited.taxes_rate,
    credited.ledger_share_e5,
    cast(
        case when credited.request_kind = 'late_usage' then coalesce(progressive_shares.share_cents, 0) else 0 end
        * 100000 as decimal(38, 0)
    ) as progressive_share_e5,
    cast(coalesce(ledger_items.precise_amount_cents, 0) * 100000 as decimal(38, 0)) as ledger_items_e5,
    coalesce(asked_of_fees.asked_amount_cents, 0) as asked_amount_cents,
    coalesce(
        credited.fee_type = 'subscription' and credited.moment_id = credited.credited_moment_id, false
    ) as is_unused_fee,
    credited.fee_type = 'credit' as is_credit_fee,
    case when credited.fee_type = 'credit' then credited.fee_code end as wallet_code
from credited
left join ledger_items
    on credited.fee_id = ledger_items.fee_id
left join progressive_shares
    on credited.fee_id = progressive_shares.fee_id
left join asked_of_fees
    on
        credited.credit_note_id = asked_of_fees.credit_note_id
        and credited.fee_id = asked_of_fees.fee_id
