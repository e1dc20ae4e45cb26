{# As large as the events themselves: a view, read by those who ask for it. #}
{{ config(materialized='view') }}

with

{# events as they were billed: with what was corrected in time #}
usage_events as (

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id,
        coalesce(versions.code, usage_events.code) as code,
        coalesce(versions.event_at, usage_events.event_at) as event_at,
        usage_events.received_at,
        coalesce(versions.known_at, usage_events.received_at, usage_events.event_at) as known_at,
        coalesce(versions.properties, usage_events.properties) as properties,
        case
            when versions.transaction_id is null then usage_events.precise_total_amount_cents
            else versions.precise_total_amount_cents
        end as precise_total_amount_cents,
        usage_events.batch_id,
        usage_events.file_id,
        usage_events.line_number,
        versions.event_correction_id
    from {{ ref('stg_events__usage_events') }} as usage_events
    left join {{ ref('int_event_versions') }} as versions
        on
            usage_events.organization_id = versions.organization_id
            and usage_events.external_subscription_id = versions.external_subscription_id
            and usage_events.transaction_id = versions.transaction_id
            and versions.is_billed_version

),

located as (

    select * from {{ ref('int_events_everywhere') }}

),

periods as (

    select * from {{ ref('fct_subscription_period') }}

),

{# those periods, and the last ones of subscriptions that ended without a closing invoice #}
moments as (

    select moments.*
    from {{ ref('ledger_moments') }} as moments
    inner join {{ ref('closes') }} as closes
        on moments.close_id = closes.close_id

),

metrics as (

    select * from {{ ref('dim_metric') }}

),

{# the ledger keeps the fates of a finalised moment by event code, mostly one fate a code #}
moment_codes as (

    select
        fates.moment_id,
        fates.code,
        count(*) as fates_count,
        min(fates.fate) as first_fate,
        max(case when fates.fate = 'late' then 1 else 0 end) = 1 as has_late,
        max(case when fates.fate = 'cancelled' then 1 else 0 end) = 1 as has_cancelled,
        max(case when fates.fate = 'unreadable_value' then 1 else 0 end) = 1 as has_unreadable
    from {{ ref('ledger_moment_fates') }} as fates
    inner join moments
        on
            fates.close_id = moments.close_id
            and fates.moment_id = moments.moment_id
    group by fates.moment_id, fates.code

),

{# a metric that read any event of a moment has a line, so what no line can read was unreadable #}
moment_metrics as (

    select
        periods.moment_id,
        metrics.event_code,
        metrics.field_name,
        max(case when metrics.aggregation_type = 'count_agg' then 1 else 0 end) as is_counted
    from {{ ref('fct_invoice_line') }} as lines
    inner join periods
        on lines.moment_id = periods.moment_id
    inner join metrics
        on
            lines.organization_id = metrics.organization_id
            and lines.billable_metric_code = metrics.billable_metric_code
            and periods.usage_from_at >= metrics.valid_from_at
            and periods.usage_from_at < metrics.valid_to_at
    group by periods.moment_id, metrics.event_code, metrics.field_name

),

totalled_codes as (

    select distinct
        charge_windows.moment_id,
        charge_windows.event_code
    from {{ ref('int_charge_windows') }} as charge_windows
    where charge_windows.is_totalled

),

unreadable as (

    select
        readings.organization_id,
        readings.external_subscription_id,
        readings.transaction_id
    from {{ ref('int_event_readings') }} as readings
    where not coalesce(readings.is_restated, false)
    group by readings.organization_id, readings.external_subscription_id, readings.transaction_id
    having count(readings.quantity) = 0

    union all

    select
        located.organization_id,
        located.external_subscription_id,
        located.transaction_id
    from located
    inner join totalled_codes
        on
            located.moment_id = totalled_codes.moment_id
            and located.code = totalled_codes.event_code
    where located.is_measured and located.quantity is null and located.fate in {{ open_states() }}

    union all

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id
    from usage_events
    inner join located
        on
            usage_events.organization_id = located.organization_id
            and usage_events.external_subscription_id = located.external_subscription_id
            and usage_events.transaction_id = located.transaction_id
            and located.fate = 'finalized'
    inner join moment_codes
        on
            located.moment_id = moment_codes.moment_id
            and located.code = moment_codes.code
            and moment_codes.has_unreadable
    left join moment_metrics
        on
            located.moment_id = moment_metrics.moment_id
            and located.code = moment_metrics.event_code
    group by
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id
    having
        coalesce(max(moment_metrics.is_counted), 0) = 0
        and count(
            {{ parse_quantity(json_text('usage_events.properties', 'moment_metrics.field_name')) }}
        ) = 0

),

{# the newest close names the customer, and says whether due events wait with it #}
reconciled as (

    select
        reconciliation.organization_id,
        reconciliation.external_subscription_id,
        reconciliation.event_code,
        max(case when reconciliation.fate = 'held' then 1 else 0 end) = 1 as is_held,
        min(reconciliation.external_customer_id) as external_customer_id
    from {{ ref('usage_reconciliation') }} as reconciliation
    group by
        reconciliation.organization_id,
        reconciliation.external_subscription_id,
        reconciliation.event_code

),

code_metrics as (

    select
        metrics.organization_id,
        metrics.event_code,
        {{ dbt.listagg(
            'metrics.billable_metric_code',
            "', '",
            'order by ' ~ binary_order('metrics.billable_metric_code')
        ) }} as billable_metric_codes
    from metrics
    where metrics.is_current
    group by metrics.organization_id, metrics.event_code

),

judged as (

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id,
        reconciled.external_customer_id,
        usage_events.code,
        usage_events.event_at,
        usage_events.received_at,
        usage_events.properties,
        usage_events.precise_total_amount_cents,
        usage_events.batch_id,
        usage_events.file_id,
        usage_events.line_number,
        usage_events.event_correction_id,
        located.moment_id,
        {#
          As the ledger says it, and not_seen for what the newest close did not know. Due events that
          do not wait belong to a close that was killed: for readers they are pending.
        #}
        case
            when located.transaction_id is null then 'not_seen'
            when located.fate = 'finalized' and moment_codes.fates_count = 1
                then moment_codes.first_fate
            when
                located.fate = 'finalized'
                and moment_codes.has_late
                and usage_events.known_at >= greatest(moments.finalizes_at, moments.usage_to_at)
                then 'late'
            when located.fate = 'finalized' and moment_codes.has_cancelled and located.is_cancelled then 'cancelled'
            when unreadable.transaction_id is not null then 'unreadable_value'
            when located.fate = 'finalized' and moments.invoice_id is null then 'skipped'
            when located.fate = 'finalized' then 'billed'
            when located.fate = 'due' and periods.moment_id is not null then 'billed'
            when located.fate = 'due' and reconciled.is_held then 'held'
            when located.fate in ('due', 'running') then 'pending'
            else located.fate
        end as fate,
        coalesce(located.fate = 'finalized', false) as is_recorded,
        periods.invoice_id,
        periods.invoice_number,
        periods.close_id
    from usage_events
    left join located
        on
            usage_events.organization_id = located.organization_id
            and usage_events.external_subscription_id = located.external_subscription_id
            and usage_events.transaction_id = located.transaction_id
    left join moment_codes
        on
            located.moment_id = moment_codes.moment_id
            and located.code = moment_codes.code
    left join unreadable
        on
            usage_events.organization_id = unreadable.organization_id
            and usage_events.external_subscription_id = unreadable.external_subscription_id
            and usage_events.transaction_id = unreadable.transaction_id
    left join moments
        on located.moment_id = moments.moment_id
    left join periods
        on located.moment_id = periods.moment_id
    left join reconciled
        on
            usage_events.organization_id = reconciled.organization_id
            and usage_events.external_subscription_id = reconciled.external_subscription_id
            and usage_events.code = reconciled.event_code

)

select
    judged.organization_id,
    judged.external_subscription_id,
    judged.transaction_id,
    judged.external_customer_id,
    judged.code as event_code,
    code_metrics.billable_metric_codes,
    judged.event_at,
    judged.received_at,
    judged.properties,
    judged.precise_total_amount_cents,
    judged.fate,
    judged.is_recorded or judged.fate in ('billed', 'late') as is_final,
    judged.moment_id,
    case when judged.fate = 'billed' then judged.invoice_id end as invoice_id,
    case when judged.fate = 'billed' then judged.invoice_number end as invoice_number,
    judged.batch_id,
    judged.file_id,
    judged.line_number,
    case when judged.fate = 'billed' then judged.close_id end as close_id,
    judged.event_correction_id
from judged
left join code_metrics
    on
        judged.organization_id = code_metrics.organization_id
        and judged.code = code_metrics.event_code
