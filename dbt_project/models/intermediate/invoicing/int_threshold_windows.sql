{#
  The usage amount of the running period at each instant at which a threshold may be reached, with what the subscription's
  invoices had billed of its charges before (progressive invoices apart).
#}
with

windows as (

    select
        windows.*,
        moments.usage_to_at,
        moments.external_customer_id
    from {{ ref('int_usage_windows') }} as windows
    inner join {{ ref('int_billing_moments') }} as moments
        on windows.period_moment_id = moments.moment_id
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            windows.organization_id = close_scope.organization_id
            and windows.window_at <= close_scope.as_of
    {# after the period's end its own invoice bills what is left #}
    where windows.window_at < moments.usage_to_at

),

usage_fees as (

    select * from {{ ref('int_fees_from_usage') }}

),

amounts as (

    select
        usage_fees.moment_id as window_id,
        cast(sum(usage_fees.amount_cents) as bigint) as amount_cents
    from usage_fees
    inner join windows
        on usage_fees.moment_id = windows.window_id
    group by usage_fees.moment_id

),

thresholds as (

    select
        thresholds.threshold_set_id,
        coalesce(max(case when not thresholds.is_recurring then thresholds.amount_cents end), 0)
            as largest_fixed_cents,
        max(case when thresholds.is_recurring then thresholds.amount_cents end) as recurring_cents
    from {{ ref('int_thresholds') }} as thresholds
    group by thresholds.threshold_set_id

),

ledger_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

ledger_fees as (

    select * from {{ ref('stg_ledger__fees') }}
    where fee_type in ('charge', 'true_up')

),

open_moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state in ('due', 'draft')

),

{# what the subscription's own invoices billed of its charges, wherever it was finalised; not fees without an invoice #}
billed as (

    select
        ledger_moments.organization_id,
        ledger_moments.external_subscription_id,
        ledger_moments.billing_at,
        ledger_fees.amount_cents
    from ledger_fees
    inner join ledger_moments
        on ledger_fees.moment_id = ledger_moments.moment_id
    {# what was made anew after a void was counted with what was voided #}
    where ledger_moments.reason not in ('progressive_billing', 'regeneration', 'advance_charges')

    union all

    {% for source in ['int_fees_from_usage', 'int_fees_from_true_ups'] -%}
        select
            open_moments.organization_id,
            open_moments.external_subscription_id,
            open_moments.billing_at,
            sources.amount_cents
        from {{ ref(source) }} as sources
        inner join open_moments
            on sources.moment_id = open_moments.moment_id
        {% if source == 'int_fees_from_usage' %}where sources.is_invoiceable{% endif %}

        union all
    {% endfor -%}

    select
        advance.organization_id,
        advance.external_subscription_id,
        advance.billing_at,
        sources.amount_cents
    from {{ ref('int_fees_from_advance_charges') }} as sources
    inner join {{ ref('int_advance_moments') }} as advance
        on
            sources.moment_id = advance.moment_id
            and advance.moment_state = 'due'
    where sources.is_invoiceable

),

terminations as (

    select
        moments.organization_id,
        moments.external_subscription_id,
        moments.billing_at
    from {{ ref('int_billing_moments') }} as moments
    where moments.reason = 'termination'

),

{# one line of time per subscription; one that is started anew after its end begins at nothing #}
timeline as (

    select
        billed.organization_id,
        billed.external_subscription_id,
        billed.billing_at as happened_at,
        1 as place,
        cast(null as varchar) as window_id,
        billed.amount_cents,
        0 as ends
    from billed

    union all

    select
        terminations.organization_id,
        terminations.external_subscription_id,
        terminations.billing_at as happened_at,
        2 as place,
        cast(null as varchar) as window_id,
        0 as amount_cents,
        1 as ends
    from terminations

    union all

    select
        windows.organization_id,
        windows.external_subscription_id,
        windows.window_at as happened_at,
        3 as place,
        windows.window_id,
        0 as amount_cents,
        0 as ends
    from windows

),

lives as (

    select
        timeline.*,
        sum(timeline.ends) over (
            partition by timeline.organization_id, timeline.external_subscription_id
            order by timeline.happened_at, timeline.place, timeline.window_id
            rows between unbounded preceding and current row
        ) - timeline.ends as life
    from timeline

),

summed as (

    select
        lives.window_id,
        sum(lives.amount_cents) over (
            partition by lives.organization_id, lives.external_subscription_id, lives.life
            order by lives.happened_at, lives.place, lives.window_id
            rows between unbounded preceding and current row
        ) as invoiced_before_cents
    from lives

),

{# the newest progressive invoice of the period that an earlier close finalised #}
progressive as (

    select
        {{ surrogate_key([
            'ledger_moments.organization_id', 'ledger_moments.external_subscription_id',
            'ledger_moments.subscription_created_at', 'ledger_moments.usage_from_at',
        ]) }} as period_id,
        ledger_moments.invoice_id,
        ledger_moments.billing_at,
        row_number() over (
            partition by
                ledger_moments.organization_id, ledger_moments.external_subscription_id,
                ledger_moments.subscription_created_at, ledger_moments.usage_from_at
            order by ledger_moments.billing_at desc
        ) as newest_place
    from ledger_moments
    where ledger_moments.reason = 'progressive_billing'

),

progressive_billed as (

    select
        progressive.period_id,
        progressive.billing_at,
        invoices.fees_amount_cents
    from progressive
    inner join {{ ref('stg_ledger__invoices') }} as invoices
        on progressive.invoice_id = invoices.invoice_id
    where progressive.newest_place = 1

)

select
    windows.window_id,
    windows.period_id,
    windows.period_moment_id,
    windows.organization_id,
    windows.external_customer_id,
    windows.external_subscription_id,
    windows.window_at,
    coalesce(amounts.amount_cents, 0) as amount_cents,
    cast(coalesce(summed.invoiced_before_cents, 0) as bigint) as invoiced_before_cents,
    windows.period_moment_id as threshold_set_id,
    thresholds.largest_fixed_cents,
    thresholds.recurring_cents,
    progressive_billed.billing_at as last_billed_at,
    progressive_billed.fees_amount_cents as last_billed_cents
from windows
inner join thresholds
    on windows.period_moment_id = thresholds.threshold_set_id
inner join amounts
    on windows.window_id = amounts.window_id
left join summed
    on windows.window_id = summed.window_id
left join progressive_billed
    on windows.period_id = progressive_billed.period_id
