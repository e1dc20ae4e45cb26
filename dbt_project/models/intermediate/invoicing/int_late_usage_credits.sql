{#
  The lines of invoices that are credited for what late knowledge takes off a period. What is less on a line comes off what
  was billed of it, then off what was added to it since, oldest first. What has moved to another line of its period without
  being billed there (more and less were set off) comes off the lines that it was billed on.
#}
{%- set stages = [
    ('own', 'credits', 'lines', true),
    ('others', 'credits_left', 'lines_left', false),
] -%}
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

periods as (

    select distinct credits.moment_id
    from credits

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

lines as (

    select
        charged.*,
        charged.amount_cents - coalesce(credited_before.amount_cents, 0) as left_cents
    from charged
    inner join periods
        on charged.moment_id = periods.moment_id
    left join credited_before
        on charged.credited_fee_id = credited_before.fee_id
    where charged.amount_cents > coalesce(credited_before.amount_cents, 0)

),

{# credits in the order of the deciding invoices meet lines in the order in which they were charged #}
{% for stage, credits, lines, is_own in stages -%}
    {{ stage }}_credits as (

        select
            {{ credits }}.*,
            sum({{ credits }}.amount_cents) over (
                partition by {{ credits }}.moment_id{{ ', ' ~ credits ~ '.line_id' if is_own }}
                order by
                    {{ credits }}.next_billing_at, {{ credits }}.restated_moment_id, {{ credits }}.line_id
                rows between unbounded preceding and current row
            ) as up_to_cents
        from {{ credits }}

    ),

    {{ stage }}_lines as (

        select
            {{ lines }}.*,
            sum({{ lines }}.left_cents) over (
                partition by {{ lines }}.moment_id{{ ', ' ~ lines ~ '.line_id' if is_own }}
                order by
                    {{ lines }}.added_at nulls first, {{ binary_order(lines ~ '.fee_code') }},
                    {{ lines }}.credited_fee_id
                rows between unbounded preceding and current row
            ) as up_to_cents
        from {{ lines }}

    ),

    {{ stage }} as (

        select
            {{ stage }}_credits.restated_moment_id,
            {{ stage }}_credits.moment_id,
            {{ stage }}_credits.next_moment_id,
            {{ stage }}_credits.line_id,
            {{ stage }}_lines.credited_fee_id,
            {{ stage }}_lines.credited_moment_id,
            least({{ stage }}_credits.up_to_cents, {{ stage }}_lines.up_to_cents) - greatest(
                {{ stage }}_credits.up_to_cents - {{ stage }}_credits.amount_cents,
                {{ stage }}_lines.up_to_cents - {{ stage }}_lines.left_cents
            ) as credited_cents
        from {{ stage }}_credits
        inner join {{ stage }}_lines
            on
                {{ stage }}_credits.moment_id = {{ stage }}_lines.moment_id
                {% if is_own -%}
                    and {{ stage }}_credits.line_id = {{ stage }}_lines.line_id
                {% endif -%}
                and coalesce({{ stage }}_credits.next_billing_at > {{ stage }}_lines.added_at, true)
                and {{ stage }}_credits.up_to_cents > {{ stage }}_lines.up_to_cents - {{ stage }}_lines.left_cents
                and {{ stage }}_credits.up_to_cents - {{ stage }}_credits.amount_cents < {{ stage }}_lines.up_to_cents

    ),

    {% if is_own -%}
        credits_left as (

            select
                credits.restated_moment_id,
                credits.moment_id,
                credits.next_moment_id,
                credits.next_billing_at,
                credits.line_id,
                credits.amount_cents - coalesce(sum(own.credited_cents), 0) as amount_cents
            from credits
            left join own
                on
                    credits.restated_moment_id = own.restated_moment_id
                    and credits.line_id = own.line_id
            group by
                credits.restated_moment_id, credits.moment_id, credits.next_moment_id, credits.next_billing_at,
                credits.line_id, credits.amount_cents
            having credits.amount_cents > coalesce(sum(own.credited_cents), 0)

        ),

        lines_left as (

            select
                lines.moment_id,
                lines.fee_code,
                lines.credited_fee_id,
                lines.credited_moment_id,
                lines.added_at,
                lines.left_cents - coalesce(sum(own.credited_cents), 0) as left_cents
            from lines
            left join own
                on lines.credited_fee_id = own.credited_fee_id
            group by
                lines.moment_id, lines.fee_code, lines.credited_fee_id, lines.credited_moment_id, lines.added_at,
                lines.left_cents
            having lines.left_cents > coalesce(sum(own.credited_cents), 0)

        ),

    {% endif -%}
{% endfor -%}
credited as (

    {% for stage, _, _, _ in stages -%}
        select * from {{ stage }}
        {% if not loop.last %}

            union all

        {% endif %}
    {%- endfor %}

)

select
    credited.restated_moment_id,
    credited.moment_id,
    credited.next_moment_id,
    credited.credited_moment_id,
    credited.credited_fee_id,
    cast(sum(credited.credited_cents) as bigint) as credited_cents
from credited
group by
    credited.restated_moment_id, credited.moment_id, credited.next_moment_id, credited.credited_moment_id,
    credited.credited_fee_id
