{#
  Relations that may be empty in a fresh warehouse, but not when others are filled: an inner join with an empty relation
  loses everything without an error. `needing_rows_count` counts what needs the relation; none means it may be empty.
#}
{%- set needs = [
    ('events_landed', 'stg_events__close_scope', 'close_scope', 'the close', 'always', 'count(*)'),
    ('events_landed', 'stg_book__organizations', 'organizations', 'the close', 'close_scope', 'count(*)'),
    ('events_landed', 'stg_events__landing_batches', 'landing_batches', 'the close', 'close_scope', 'count(*)'),
    (
        'events_landed', 'stg_events__usage_events', 'events_counted', 'the files taken', 'landed_files',
        'sum(landed_files.landed_count)'
    ),
    ('invoices_due', 'stg_book__customers', 'customers', 'subscriptions', 'subscriptions', 'count(*)'),
    ('invoices_due', 'stg_book__plans', 'plans', 'subscriptions', 'subscriptions', 'count(*)'),
    ('invoices_due', 'stg_time__timezone_offsets', 'timezone_offsets', 'subscriptions', 'subscriptions', 'count(*)'),
    ('invoices_due', 'stg_time__local_days', 'local_days', 'subscriptions', 'subscriptions', 'count(*)'),
    ('invoices_due', 'currencies', 'currencies', 'subscriptions', 'subscriptions', 'count(*)'),
    ('invoices_due', 'int_billing_moments', 'moments', 'subscriptions that have started', 'started', 'count(*)'),
    ('invoices_due', 'int_fees', 'fees', 'due billing moments', 'due_moments', 'count(*)'),
    ('invoices_due', 'int_invoices_totalled', 'invoices', 'due billing moments', 'due_moments', 'count(*)'),
] -%}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

organizations as (

    select * from {{ ref('stg_book__organizations') }}

),

landing_batches as (

    select * from {{ ref('stg_events__landing_batches') }}

),

landed_files as (

    select * from {{ ref('gate_landed_files') }}

),

events_counted as (

    select * from {{ ref('gate_events_counted') }}

),

subscriptions as (

    select * from {{ ref('stg_book__subscriptions') }}

),

customers as (

    select * from {{ ref('stg_book__customers') }}

),

plans as (

    select * from {{ ref('stg_book__plans') }}

),

timezone_offsets as (

    select * from {{ ref('stg_time__timezone_offsets') }}

),

local_days as (

    select * from {{ ref('stg_time__local_days') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

started as (

    select started.*
    from {{ ref('int_subscriptions_started') }} as started
    inner join close_scope
        on
            started.organization_id = close_scope.organization_id
            and started.started_at <= close_scope.as_of

),

moments as (

    select * from {{ ref('int_billing_moments') }}

),

{# a moment of a customer that waits may have no fees: that is what it waits for #}
due_moments as (

    select moments.*
    from moments
    left join {{ ref('gate_held_customers') }} as held_customers
        on
            moments.organization_id = held_customers.organization_id
            and moments.external_customer_id = held_customers.external_customer_id
    where moments.moment_state = 'due' and held_customers.external_customer_id is null

),

fees as (

    select * from {{ ref('int_fees') }}

),

invoices as (

    select * from {{ ref('int_invoices_totalled') }}

),

always as (

    select 1 as one

),

counts as (

    {% for subject, relation, counted, needed_by, needing, needing_rows in needs -%}
        select
            '{{ subject }}' as subject,
            '{{ relation }}' as relation,
            '{{ needed_by }}' as needed_by,
            count(*) as rows_count,
            0 as needing_rows_count
        from {{ counted }}

        union all

        select
            '{{ subject }}' as subject,
            '{{ relation }}' as relation,
            '{{ needed_by }}' as needed_by,
            0 as rows_count,
            {{ needing_rows }} as needing_rows_count
        from {{ needing }}
        {%- if not loop.last %}

            union all

        {% endif -%}
    {%- endfor %}

)

select
    counts.subject,
    counts.relation,
    counts.needed_by,
    cast(sum(counts.rows_count) as bigint) as rows_count,
    cast(coalesce(sum(counts.needing_rows_count), 0) as bigint) as needing_rows_count
from counts
group by counts.subject, counts.relation, counts.needed_by
