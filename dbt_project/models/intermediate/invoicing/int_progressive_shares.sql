{#
  What each fee of an invoice shares with a fee of the progressive invoice that it credits: same charge, filter and group.
  The share is the progressive fee's amount in full, at most the fee (docs/billing-rules.md, Thresholds).
#}
with

links as (

    select * from {{ ref('int_progressive_links') }}

),

open_fees as (

    select * from {{ ref('int_fees_priced') }}
    where fee_type = 'charge'

),

progressive_fees as (

    select
        ledger_fees.moment_id,
        ledger_fees.fee_code,
        coalesce(ledger_fees.filter_values, '') as filter_key,
        coalesce(ledger_fees.group_values, '') as group_key,
        ledger_fees.amount_cents
    from {{ ref('stg_ledger__fees') }} as ledger_fees

    union all

    select
        open_fees.moment_id,
        open_fees.fee_code,
        coalesce(open_fees.filter_values, '') as filter_key,
        coalesce(open_fees.group_values, '') as group_key,
        open_fees.amount_cents
    from open_fees

),

billed_charges as (

    select distinct
        progressive_fees.moment_id,
        progressive_fees.fee_code
    from progressive_fees

)

select
    links.invoice_id,
    links.progressive_invoice_id,
    open_fees.fee_id,
    open_fees.amount_cents,
    cast(
        least(greatest(coalesce(progressive_fees.amount_cents, 0), 0), greatest(open_fees.amount_cents, 0)) as bigint
    ) as share_cents
from links
inner join open_fees
    on links.moment_id = open_fees.moment_id
inner join billed_charges
    on
        links.progressive_moment_id = billed_charges.moment_id
        and open_fees.fee_code = billed_charges.fee_code
left join progressive_fees
    on
        links.progressive_moment_id = progressive_fees.moment_id
        and open_fees.fee_code = progressive_fees.fee_code
        and coalesce(open_fees.filter_values, '') = progressive_fees.filter_key
        and coalesce(open_fees.group_values, '') = progressive_fees.group_key
