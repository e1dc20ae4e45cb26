{#
  Every fee of every invoice that a credit note of this close is about, with what the note asks to credit of it. What is
  known from the ledger (shares, earlier notes) stands here; an invoice of the same close is still being settled.
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

credited as (

    select
        requests.credit_note_id,
        requests.organization_id,
        requests.credit_note_code,
        requests.match_external_subscription_id,
        requests.credited_moment_id,
        fees.*
    from requests
    inner join fees
        on requests.invoice_id = fees.invoice_id

),

{# a code that names several fees takes them in order, each up to its amount; what is too much stays on the first #}
asked as (

    select
        credited.credit_note_id,
        credited.fee_id,
        items.item_position,
        items.amount_cents as asked_amount_cents,
        credited.amount_cents,
        sum(credited.amount_cents) over (
            partition by credited.credit_note_id, items.item_position
            order by credited.amount_cents desc, credited.fee_id asc
            rows between unbounded preceding and current row
        ) - credited.amount_cents as amount_before_cents,
        row_number() over (
            partition by credited.credit_note_id, items.item_position
            order by credited.amount_cents desc, credited.fee_id asc
        ) as place,
        sum(credited.amount_cents) over (
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
        {{ surrogate_key(["'late_usage'", 'restatements.restated_moment_id']) }} as credit_note_id,
        restatements.fee_id,
        -restatements.settled_amount_cents as asked_amount_cents
    from {{ ref('int_restatements') }} as restatements
    where restatements.outcome = 'credited' and restatements.settled_amount_cents < 0

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
    cast(credited.precise_e10 as decimal(38, 0)) as precise_e10,
    credited.taxes_rate,
    credited.ledger_share_e5,
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
left join asked_of_fees
    on
        credited.credit_note_id = asked_of_fees.credit_note_id
        and credited.fee_id = asked_of_fees.fee_id
