{%- set coupons_a_round = 2 -%}
{#
  A round takes a chain at least one stage of one step further: no chain needs more rounds than it has steps, times the
  balances that each may meet.
#}
{{ config(
    materialized='rounds',
    bound="select max(chains.steps * (chains.balances + 1)) from (select sum(case when entries.is_step then 1 else 0"
        ~ " end) as steps, sum(case when entries.entry_kind in ('invoice', 'draft', 'end') then 0 else 1 end)"
        ~ " as balances from {{ ref('int_settlement_entries') }} as entries group by entries.chain_id) as chains"
) }}

{#
  Settlement, round by round, so that what an invoice can use is what the invoices, notes and moves before it left. The
  rows of a round hold the whole state of its chains: a cursor (which step, which stage), the fees of the invoice under
  way with their shares, every live balance. The next round reads only those.

  A round takes every chain as many invoices further as its balances last. Each invoice of the batch is settled as if
  none before it in the batch took anything; that holds for all up to the first with which a balance would be overdrawn,
  which begins the next batch. So a chain needs rounds for its changes (a balance used up, a note, the end of a wallet),
  not for its invoices. Batches begin small and grow while they hold, so that little is settled in vain.

  The stages of an invoice (docs/billing-rules.md, Order): 1 coupons, two a round; then taxes; 2 credit notes, one a
  round; 3 wallets, one a round; 9 done. What needs no third coupon and no second note or wallet goes through all of
  them in one round.

  Each step below is a macro of its name in macros/settlement: a few CTEs, which it describes, over those that stand
  above it. Columns ending in _cents are minor units, in _e5 (shares, credits of wallets) 10^-5 of them, in _e10 (exact
  taxes, what wallets pay) 10^-10.
#}
with

entries as (

    select * from {{ ref('int_settlement_entries') }}

),

{# Where every chain stands, and the steps that it takes in this round. #}
{{ settlement_steps() }},

{# What steps bring along: credit for progressive invoices, notes with their items and amounts, what voids give back. #}
{{ settlement_progressive_credits() }},

{{ settlement_note_items() }},

{{ settlement_note_amounts() }},

{{ settlement_voided_uses() }},

{# With that, every balance that a step finds. #}
{{ settlement_balances() }},

{# The steps' invoices and their fees pass through the stages: coupons, taxes, a credit note, a wallet. #}
{{ settlement_invoices() }},

{% for place in range(1, coupons_a_round + 1) -%}
    {{ settlement_coupons(place, is_last=loop.last) }},

{% endfor -%}

{{ settlement_taxes() }},

{{ settlement_credit_notes() }},

{{ settlement_wallets() }},

{# Wallets are moved without an invoice, too. #}
{{ settlement_wallet_moves() }},

{# All that is taken of each balance, and up to which step it lasts: so far the chain gets. #}
{{ settlement_uses(coupons_a_round) }},

{{ settlement_batches() }},

{# What the next round begins with, and what readers of this model see. #}
{{ settlement_rows() }}

select
    cast({{ current_round() }} as integer) as round_no,
    {% for column, type, nothing in settlement_columns() -%}
        cast(rows_left.{{ column }} as {{ type }}) as {{ column }}{% if not loop.last %},{% endif %}
    {% endfor %}
from rows_left
