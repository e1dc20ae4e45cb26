{#
  Every step between the fees and the total of an open invoice, of invoices that were settled in order and of those that
  need no order. Every invoice leaves a tax posting, even of 0.
#}
with

settled as (

    select * from {{ ref('int_settlement') }}

),

invoices as (

    select * from {{ ref('int_invoices_ordered') }}

),

fees as (

    select * from {{ ref('int_fees_taxed') }}

),

{#
  One rounding for the whole invoice (docs/billing-rules.md, Order); regrouped fees bring the taxes that each of them
  has already.
#}
tax_sums as (

    select
        fees.invoice_id,
        cast(
            case
                when min(invoices.invoice_type) = 'advance_charges' then sum(fees.taxes_amount_cents)
                else
                    {{ divide_half_away(
                        'sum(fees.sub_e5 * ' ~ scaled_percent('fees.taxes_rate') ~ ')', power_of_ten(19)
                    ) }}
            end as bigint
        ) as taxes_amount_cents
    from fees
    inner join invoices
        on fees.invoice_id = invoices.invoice_id
    group by fees.invoice_id

),

posted as (

    select
        invoices.invoice_id,
        'tax' as posting_kind,
        cast(null as varchar) as source_id,
        0 as round_no,
        coalesce(tax_sums.taxes_amount_cents, 0) as amount_cents,
        cast(0 as bigint) as balance_cents
    from invoices
    left join tax_sums
        on invoices.invoice_id = tax_sums.invoice_id

    union all

    select
        settled.invoice_id,
        case settled.row_kind
            when 'wallet' then 'prepaid_credit'
            when 'progressive' then 'progressive_billing_credit'
            else settled.row_kind
        end as posting_kind,
        settled.row_id as source_id,
        settled.round_no,
        settled.amount_cents,
        settled.balance_cents
    from settled
    where
        settled.row_kind in ('progressive', 'coupon', 'credit_note', 'wallet')
        and settled.invoice_id is not null
        and settled.amount_cents > 0

    union all

    select
        entries.invoice_id,
        'prepaid_credit' as posting_kind,
        entries.source_id,
        0 as round_no,
        -prepaid.amount_cents as amount_cents,
        prepaid.balance_cents
    from {{ ref('int_prepaid_moves') }} as prepaid
    inner join {{ ref('int_prepaid_entries') }} as entries
        on
            prepaid.chain_no = entries.chain_no
            and prepaid.move_order = entries.move_order
    where entries.move_kind = 'consumed'

)

select
    {{ surrogate_key(['posted.invoice_id', 'posted.posting_kind', 'posted.source_id']) }} as posting_id,
    invoices.close_id,
    posted.invoice_id,
    invoices.organization_id,
    posted.posting_kind,
    posted.source_id,
    cast(posted.round_no as integer) as round_no,
    cast(posted.amount_cents as bigint) as amount_cents,
    cast(posted.balance_cents as bigint) as balance_cents
from posted
inner join invoices
    on posted.invoice_id = invoices.invoice_id
