{#
  The tiers of a usage line cost what the line costs before rounding: each tier is cut to 15 decimals by itself, so they
  may differ by that much. Usage below zero is billed as zero, while its tier says what was counted.
#}
with

tier_sums as (

    select
        tiers.fee_id,
        sum(tiers.precise_amount_cents) as precise_amount_cents,
        count(*) as tiers_count
    from {{ ref('fct_invoice_line_tier') }} as tiers
    group by tiers.fee_id

)

select
    lines.fee_id,
    lines.precise_amount_cents,
    tier_sums.precise_amount_cents as tiers_precise_amount_cents
from {{ ref('fct_invoice_line') }} as lines
inner join tier_sums
    on lines.fee_id = tier_sums.fee_id
where
    lines.precise_amount_cents > 0
    and abs(lines.precise_amount_cents - tier_sums.precise_amount_cents)
    > tier_sums.tiers_count * cast(0.000000000000001 as decimal(38, 15))
