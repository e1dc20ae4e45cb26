{#
  The lines of invoices that are credited for what late knowledge takes off a period. What is less on a line comes off what
  was billed of it, then off what was added to it since, oldest first. What has moved to another line of its period without
  being billed there (more and less were set off) comes off the lines that it was billed on. A round takes one credit of
  every period, in the order of the invoices that decide them, and leaves the lines to the next as closes would that come
  in between.
#}
{{ config(
    materialized='rounds',
    bound="select max(periods.credits) from (select count(distinct restatements.restated_moment_id) as credits"
        ~ " from {{ ref('int_restatements') }} as restatements where restatements.outcome = 'credited'"
        ~ " group by restatements.moment_id) as periods"
) }}
with

restatements as (

    select * from {{ ref('int_restatements') }}

),

credits as (

    select
        restatements.restated_moment_id,
        restatements.moment_id,
        restatements.next_moment_id,
        restatements.next_billing_at,
        restatements.fee_id as line_id,
        -restatements.settled_amount_cents as amount_cents
    from restatements
    where restatements.outcome = 'credited' and restatements.settled_amount_cents < 0

),

{# all that one invoice takes off a period #}
decisions as (

    select
        credits.restated_moment_id,
        credits.moment_id,
        credits.next_moment_id,
        credits.next_billing_at,
        sum(credits.amount_cents) as amount_cents,
        row_number() over (
            partition by credits.moment_id
            order by credits.next_billing_at, credits.restated_moment_id
        ) as place
    from credits
    group by credits.restated_moment_id, credits.moment_id, credits.next_moment_id, credits.next_billing_at

),

periods as (

    select distinct decisions.moment_id
    from decisions

),

{# what earlier closes found of these periods #}
found_before as (

    select
        restatements.moment_id,
        restatements.fee_id,
        restatements.fee_code,
        restatements.next_moment_id,
        restatements.settled_amount_cents
    from {{ ref('stg_ledger__restatements') }} as restatements
    where restatements.moment_id in (select periods.moment_id from periods)

),

{# what earlier notes of this kind took off a line #}
credited_before as (

    select
        items.fee_id,
        sum(items.precise_amount_cents) as amount_cents
    from {{ ref('stg_ledger__credit_note_items') }} as items
    inner join {{ ref('stg_ledger__credit_notes') }} as notes
        on items.credit_note_id = notes.credit_note_id
    where notes.request_kind = 'late_usage'
    group by items.fee_id

),

{# lines of the periods as they were billed, and what later invoices added to them; of this close and others #}
charged as (

    select
        restatements.moment_id,
        restatements.fee_id as line_id,
        restatements.fee_code,
        restatements.fee_id as credited_fee_id,
        restatements.billed_moment_id as credited_moment_id,
        cast(null as timestamp) as added_at,
        restatements.billed_amount_cents as amount_cents
    from restatements
    where restatements.billed_moment_id is not null

    union

    select
        found_before.moment_id,
        found_before.fee_id as line_id,
        found_before.fee_code,
        ledger_fees.fee_id as credited_fee_id,
        ledger_fees.moment_id as credited_moment_id,
        cast(null as timestamp) as added_at,
        ledger_fees.amount_cents
    from found_before
    inner join {{ ref('stg_ledger__fees') }} as ledger_fees
        on found_before.fee_id = ledger_fees.fee_id

    union all

    select
        added.moment_id,
        added.line_id,
        added.fee_code,
        {{ surrogate_key(['added.next_moment_id', "'adjustment'", 'added.line_id']) }} as credited_fee_id,
        added.next_moment_id as credited_moment_id,
        added.added_at,
        added.amount_cents
    from (
        select
            restatements.moment_id,
            restatements.fee_id as line_id,
            restatements.fee_code,
            restatements.next_moment_id,
            restatements.next_billing_at as added_at,
            restatements.settled_amount_cents as amount_cents
        from restatements
        where restatements.settled_amount_cents > 0

        union all

        select
            found_before.moment_id,
            found_before.fee_id as line_id,
            found_before.fee_code,
            found_before.next_moment_id,
            moments.billing_at as added_at,
            found_before.settled_amount_cents as amount_cents
        from found_before
        inner join {{ ref('stg_ledger__moments') }} as moments
            on found_before.next_moment_id = moments.moment_id
        where found_before.settled_amount_cents > 0
    ) as added

),

{# what the rounds before took #}
taken as (

    select
        rounds_before.credited_fee_id,
        sum(rounds_before.credited_cents) as amount_cents
    from {{ this }} as rounds_before
    group by rounds_before.credited_fee_id

),

reached as (

    select
        decisions.moment_id,
        max(decisions.place) as place
    from decisions
    inner join {{ this }} as rounds_before
        on decisions.restated_moment_id = rounds_before.restated_moment_id
    group by decisions.moment_id

),

lines as (

    select
        charged.*,
        charged.amount_cents - coalesce(credited_before.amount_cents, 0) - coalesce(taken.amount_cents, 0) as left_cents
    from charged
    inner join periods
        on charged.moment_id = periods.moment_id
    left join credited_before
        on charged.credited_fee_id = credited_before.fee_id
    left join taken
        on charged.credited_fee_id = taken.credited_fee_id
    where
        charged.amount_cents > coalesce(credited_before.amount_cents, 0) + coalesce(taken.amount_cents, 0)

),

{# the next decision of every period that finds something which was charged before it #}
turns as (

    select
        decisions.moment_id,
        min(decisions.place) as place
    from decisions
    inner join lines
        on
            decisions.moment_id = lines.moment_id
            and coalesce(decisions.next_billing_at > lines.added_at, true)
    left join reached
        on decisions.moment_id = reached.moment_id
    where decisions.place > coalesce(reached.place, 0)
    group by decisions.moment_id

),

{# the lines that it can take from; what is less on a line comes off that line #}
offered as (

    select
        decisions.restated_moment_id,
        decisions.next_moment_id,
        decisions.amount_cents as decided_cents,
        lines.moment_id,
        lines.fee_code,
        lines.added_at,
        lines.credited_moment_id,
        lines.credited_fee_id,
        lines.left_cents,
        coalesce(credits.amount_cents, 0) as own_cents,
        sum(lines.left_cents) over (
            partition by lines.moment_id, lines.line_id
            order by lines.added_at nulls first, lines.credited_fee_id
            rows between unbounded preceding and current row
        ) as up_to_cents
    from turns
    inner join decisions
        on
            turns.moment_id = decisions.moment_id
            and turns.place = decisions.place
    inner join lines
        on
            decisions.moment_id = lines.moment_id
            and coalesce(decisions.next_billing_at > lines.added_at, true)
    left join credits
        on
            decisions.restated_moment_id = credits.restated_moment_id
            and lines.line_id = credits.line_id

),

own as (

    select
        offered.*,
        least(offered.own_cents, offered.up_to_cents)
        - least(offered.own_cents, offered.up_to_cents - offered.left_cents) as own_credited_cents
    from offered

),

{# what their own lines do not have comes off the others #}
others as (

    select
        own.*,
        own.left_cents - own.own_credited_cents as rest_cents,
        own.decided_cents - sum(own.own_credited_cents) over (partition by own.moment_id) as others_cents,
        sum(own.left_cents - own.own_credited_cents) over (
            partition by own.moment_id
            order by own.added_at nulls first, {{ binary_order('own.fee_code') }}, own.credited_fee_id
            rows between unbounded preceding and current row
        ) as rest_up_to_cents
    from own

),

credited as (

    select
        others.*,
        others.own_credited_cents
        + least(others.others_cents, others.rest_up_to_cents)
        - least(others.others_cents, others.rest_up_to_cents - others.rest_cents) as credited_cents
    from others

)

select
    cast({{ current_round() }} as integer) as round_no,
    credited.restated_moment_id,
    credited.moment_id,
    credited.next_moment_id,
    credited.credited_moment_id,
    credited.credited_fee_id,
    cast(credited.credited_cents as bigint) as credited_cents
from credited
where credited.credited_cents > 0
