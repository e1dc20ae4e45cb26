{#
  Figures that must agree, from the lines of the files to the totals of the invoices, and of the ledger so far. What a
  finding explains (a customer that waits) counts on both sides or on neither, so a difference means that something was
  lost or doubled. Each side is a sum over one relation below; amounts are compared by currency.
#}
{%- set sides = [
    ('lines_of_files', 'lines', 'expected', 'landed_files', 'sum(landed_files.lines_count)'),
    (
        'lines_of_files', 'lines', 'got', 'landed_files',
        'sum(landed_files.landed_count + landed_files.duplicates_count'
        ' + landed_files.conflicts_count + landed_files.rejected_count)'
    ),
    ('events_of_files', 'events', 'expected', 'landed_files', 'sum(landed_files.landed_count)'),
    ('events_of_files', 'events', 'got', 'landed_files', 'sum(landed_files.landed_rows_count)'),
    ('duplicates_of_files', 'lines', 'expected', 'landed_files', 'sum(landed_files.duplicates_count)'),
    ('duplicates_of_files', 'lines', 'got', 'landed_files', 'sum(landed_files.duplicates_rows_count)'),
    ('conflicts_of_files', 'lines', 'expected', 'landed_files', 'sum(landed_files.conflicts_count)'),
    ('conflicts_of_files', 'lines', 'got', 'landed_files', 'sum(landed_files.conflicts_rows_count)'),
    ('rejected_of_files', 'lines', 'expected', 'landed_files', 'sum(landed_files.rejected_count)'),
    ('rejected_of_files', 'lines', 'got', 'landed_files', 'sum(landed_files.rejected_rows_count)'),
    ('files_tied', 'files', 'expected', 'landed_files', 'count(*)'),
    ('files_tied', 'files', 'got', 'landed_files', 'sum(case when landed_files.is_tied then 1 else 0 end)'),
    ('events_keyed', 'events', 'expected', 'known_events', 'sum(known_events.events_count)'),
    ('events_keyed', 'events', 'got', 'known_events', 'sum(known_events.keyed_events_count)'),
    ('events_keyed', 'events', 'got', 'held_events', 'count(*)'),
    ('events_decided', 'events', 'expected', 'known_events', 'sum(known_events.events_count)'),
    ('events_decided', 'events', 'got', 'fates', 'sum(fates.events_count)'),
    ('events_decided', 'events', 'got', 'recorded_fates', 'sum(recorded_fates.events_count)'),
    ('events_read', 'readings', 'expected', 'due_fates', 'sum(due_fates.events_count * due_fates.charges_count)'),
    ('events_read', 'readings', 'got', 'readings', 'sum(readings.readings_count)'),
    ('events_counted', 'readings', 'expected', 'counted_readings', 'sum(counted_readings.quantities_count)'),
    ('events_counted', 'readings', 'got', 'counted_fees', 'sum(counted_fees.events_count)'),
    ('moments_invoiced', 'billing moments', 'expected', 'due_moments', 'count(*)'),
    (
        'moments_invoiced', 'billing moments', 'got', 'moments',
        'sum(case when moments.invoice_id is not null or moments.is_held then 1 else 0 end)'
    ),
    ('invoices_totalled', 'invoices', 'expected', 'open_moments', 'count(distinct open_moments.invoice_id)'),
    ('invoices_totalled', 'invoices', 'got', 'invoices', 'count(*)'),
    ('fees_invoiced', none, 'expected', 'open_fees', 'sum(open_fees.amount_cents)'),
    ('fees_invoiced', none, 'got', 'invoices', 'sum(invoices.fees_amount_cents)'),
    ('totals_posted', 'invoices', 'expected', 'invoices', 'count(*)'),
    ('totals_posted', 'invoices', 'got', 'postings', 'count(distinct postings.invoice_id)'),
    ('totals_posted', none, 'expected', 'open_fees', 'sum(open_fees.amount_cents)'),
    (
        'totals_posted', none, 'expected', 'postings',
        "sum(case when postings.posting_kind = 'tax' then postings.amount_cents else -postings.amount_cents end)"
    ),
    ('totals_posted', none, 'got', 'invoices', 'sum(invoices.total_amount_cents)'),
    ('ledger_invoices', 'invoices', 'expected', 'closes', 'sum(closes.invoices_count)'),
    ('ledger_invoices', 'invoices', 'got', 'ledger_invoices', 'count(*)'),
    ('ledger_fees', none, 'expected', 'ledger_invoices', 'sum(ledger_invoices.fees_amount_cents)'),
    ('ledger_fees', none, 'got', 'ledger_fees', 'sum(ledger_fees.amount_cents)'),
] -%}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

landed_files as (

    select * from {{ ref('gate_landed_files') }}

),

{# an event without organisation is in nobody's scope, so nobody else would miss it #}
known_events as (

    select events_counted.*
    from {{ ref('gate_events_counted') }} as events_counted
    left join close_scope
        on events_counted.organization_id = close_scope.organization_id
    where
        events_counted.batch_id <= close_scope.known_batch_id
        or coalesce(events_counted.organization_id, '') = ''

),

held_events as (

    select * from {{ ref('gate_findings') }}
    where rule = 'event_null_key'

),

held_customers as (

    select * from {{ ref('gate_held_customers') }}

),

{# of finalised periods the ledger counts the events, and does not read them again #}
fates as (

    select * from {{ ref('int_event_fates') }}
    where fate <> 'finalized'

),

due_moments as (

    select * from {{ ref('int_invoice_moments') }}
    where moment_state = 'due'

),

moments as (

    select
        due_moments.moment_id,
        scheduled.invoice_id,
        held_customers.external_customer_id is not null as is_held
    from due_moments
    left join {{ ref('int_invoices_scheduled') }} as scheduled
        on due_moments.moment_id = scheduled.moment_id
    left join held_customers
        on
            due_moments.organization_id = held_customers.organization_id
            and due_moments.external_customer_id = held_customers.external_customer_id

),

open_moments as (

    select * from moments
    where not is_held

),

{# the periods of subscriptions among them #}
due_periods as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'due'

),

metered_codes as (

    select
        metered_charges.moment_id,
        metered_charges.event_code,
        count(*) as charges_count
    from {{ ref('int_metered_charges') }} as metered_charges
    inner join due_periods
        on metered_charges.moment_id = due_periods.moment_id
    group by metered_charges.moment_id, metered_charges.event_code

),

{# what earlier closes recorded of the events of their periods #}
recorded_fates as (

    select recorded.*
    from {{ ref('stg_ledger__moment_fates') }} as recorded
    inner join close_scope
        on recorded.organization_id = close_scope.organization_id

),

due_fates as (

    select
        fates.events_count,
        metered_codes.charges_count
    from fates
    inner join metered_codes
        on
            fates.moment_id = metered_codes.moment_id
            and fates.code = metered_codes.event_code
    where fates.fate in ('due', 'unreadable_value')

),

readings as (

    select 1 as readings_count
    from {{ ref('int_event_readings') }} as readings
    inner join due_periods
        on readings.moment_id = due_periods.moment_id
    {# the history that recurring charges read as well belongs to other moments #}
    where readings.is_in_period and readings.bucket_number = 1

    union all

    select totals.events_count as readings_count
    from {{ ref('int_charge_totals') }} as totals
    inner join due_periods
        on totals.moment_id = due_periods.moment_id
    where totals.bucket_number = 1

),

{# charges of which a line counts the events that it read, and no other figure #}
counted_charges as (

    select
        charge_windows.moment_id,
        charge_windows.charge_code
    from {{ ref('int_charge_windows') }} as charge_windows
    inner join due_periods
        on charge_windows.moment_id = due_periods.moment_id
    where
        charge_windows.aggregation_type in ('count_agg', 'sum_agg', 'max_agg', 'latest_agg')
        and not charge_windows.is_recurring
        and not charge_windows.is_pay_in_advance

),

counted_readings as (

    select case when readings.quantity is null then 0 else 1 end as quantities_count
    from {{ ref('int_event_readings') }} as readings
    inner join counted_charges
        on
            readings.moment_id = counted_charges.moment_id
            and readings.charge_code = counted_charges.charge_code

    union all

    select totals.quantities_count
    from {{ ref('int_charge_totals') }} as totals
    inner join counted_charges
        on
            totals.moment_id = counted_charges.moment_id
            and totals.charge_code = counted_charges.charge_code

),

counted_fees as (

    select fees.events_count
    from {{ ref('int_fees') }} as fees
    inner join counted_charges
        on
            fees.moment_id = counted_charges.moment_id
            and fees.fee_code = counted_charges.charge_code
    where fees.fee_type = 'charge'

),

fees as (

    select
        fees.*,
        moments.invoice_id,
        moments.is_held
    from {{ ref('int_fees') }} as fees
    inner join moments
        on fees.moment_id = moments.moment_id

),

open_fees as (

    select * from fees
    where not is_held

),

invoices as (

    select invoices.*
    from {{ ref('int_invoices_totalled') }} as invoices
    left join held_customers
        on
            invoices.organization_id = held_customers.organization_id
            and invoices.external_customer_id = held_customers.external_customer_id
    where held_customers.external_customer_id is null

),

postings as (

    select
        postings.invoice_id,
        postings.posting_kind,
        postings.amount_cents,
        invoices.currency
    from {{ ref('int_postings') }} as postings
    inner join invoices
        on postings.invoice_id = invoices.invoice_id

),

closes as (

    {{ committed_rows('closes', {'invoices_count': 'bigint'}) }}

),

ledger_invoices as (

    {{ committed_rows('ledger_invoices', {'currency': 'varchar', 'fees_amount_cents': 'bigint'}) }}

),

ledger_fees as (

    {{ committed_rows('ledger_fees', {'invoice_id': 'varchar', 'currency': 'varchar', 'amount_cents': 'bigint'}) }}

),

sides as (

    {% for control, unit, side, relation, figure in sides -%}
    select
        '{{ control }}' as control,
        {% if unit %}'{{ unit }}'{% else %}coalesce({{ relation }}.currency, 'no currency') || ' minor units'{% endif %} as measured_in,
        {{ figure if side == 'expected' else 'null' }} as expected,
        {{ figure if side == 'got' else 'null' }} as got
    from {{ relation }}
    {%- if not unit %}
    group by {{ relation }}.currency
    {%- endif %}
    {%- if not loop.last %}

    union all

    {% endif -%}
    {%- endfor %}

)

select
    sides.control,
    sides.measured_in,
    cast(coalesce(sum(sides.expected), 0) as bigint) as expected,
    cast(coalesce(sum(sides.got), 0) as bigint) as got
from sides
group by sides.control, sides.measured_in
