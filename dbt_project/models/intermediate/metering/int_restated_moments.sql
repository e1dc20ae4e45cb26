{#
  A period once more, as it was known at another time: a row of its own, which is metered and rated like any other and
  never invoiced. A billed period when a later invoice of its subscription is made, or, when its prices or the code
  changed, with the usage that its invoices know and the prices and rules of now (`restated`); a draft when a credit note
  was asked for on it (`noted`).
#}
{%- set kept_columns = [
    'organization_id', 'external_customer_id', 'external_subscription_id', 'subscription_created_at', 'base_plan_code',
    'timezone', 'reason', 'billing_date', 'billing_at', 'closed_date', 'opened_date', 'row_started_at',
    'has_previous_row', 'ended_by', 'has_plan_fee', 'from_date', 'to_date', 'full_started_at', 'full_days_count',
    'days_count', 'commitment_from_date', 'commitment_to_date', 'commitment_days_count', 'commitment_full_days_count',
    'usage_from_at', 'usage_to_at', 'usage_from_date', 'usage_to_date', 'usage_full_to_date', 'usage_full_days_count',
    'usage_days_count', 'known_batch_id', 'as_of', 'close_id',
] -%}
with

late_usage as (

    select * from {{ ref('int_late_usage') }}

),

{# with the versions that are in force for them as far as is known now #}
moments as (

    select
        {% for column in kept_columns -%}
            moments.{{ column }},
        {% endfor -%}
        {{ priced_by_now('moments', 'repriced') }},
        moments.moment_id,
        moments.moment_state,
        moments.finalizes_at
    from {{ ref('int_billing_moments') }} as moments
    left join {{ ref('int_repriced_moments') }} as repriced
        on moments.moment_id = repriced.moment_id

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

{# what is late for a month is late for the commitment that was settled since with a later invoice, too #}
late_commitments as (

    select
        committed.moment_id,
        late_usage.next_moment_id,
        late_usage.cause
    from late_usage
    inner join moments
        on late_usage.moment_id = moments.moment_id
    inner join moments as committed
        on
            moments.organization_id = committed.organization_id
            and moments.external_subscription_id = committed.external_subscription_id
            and moments.subscription_created_at = committed.subscription_created_at
            and moments.billing_at < committed.billing_at
            and moments.billing_date >= committed.commitment_from_date
            and committed.moment_state in ('finalized', 'due')
    inner join plan_versions
        on
            committed.organization_id = plan_versions.organization_id
            and committed.commitment_plan_code = plan_versions.plan_code
            and committed.commitment_plan_effective_at = plan_versions.effective_at
            and plan_versions.minimum_commitment_amount_cents > 0
    left join moments as next_moments
        on late_usage.next_moment_id = next_moments.moment_id
    where late_usage.next_moment_id is null or next_moments.billing_at > committed.billing_at

),

late_periods as (

    select
        late.moment_id,
        late.next_moment_id,
        {{ dbt.listagg('late.cause', "', '", 'order by late.cause') }} as cause
    from (
        select
            late_usage.moment_id,
            late_usage.next_moment_id,
            late_usage.cause
        from late_usage

        union distinct

        select
            late_commitments.moment_id,
            late_commitments.next_moment_id,
            late_commitments.cause
        from late_commitments
    ) as late
    group by late.moment_id, late.next_moment_id

),

notes as (

    select
        notes.organization_id,
        notes.credit_note_code,
        notes.created_at,
        notes.match_external_subscription_id,
        notes.match_external_customer_id
    from {{ ref('stg_book__credit_notes') }} as notes
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            notes.organization_id = close_scope.organization_id
            and notes.created_at <= close_scope.as_of
    left join {{ ref('stg_ledger__credit_notes') }} as issued
        on
            notes.organization_id = issued.organization_id
            and notes.credit_note_code = issued.credit_note_code
    where issued.credit_note_code is null

),

payers as (

    select * from {{ ref('int_customers_resolved') }}

),

owners as (

    select distinct
        moments.organization_id,
        moments.external_subscription_id,
        moments.external_customer_id
    from moments

),

{# who pays the invoice that a note is about #}
noted_payers as (

    select distinct
        notes.organization_id,
        notes.credit_note_code,
        notes.created_at,
        payers.payer_external_customer_id
    from notes
    left join owners
        on
            notes.organization_id = owners.organization_id
            and notes.match_external_subscription_id = owners.external_subscription_id
    inner join payers
        on
            notes.organization_id = payers.organization_id
            and coalesce(owners.external_customer_id, notes.match_external_customer_id) = payers.external_customer_id

)

select
    {{ surrogate_key(['moments.moment_id', "'restated'", 'late_periods.next_moment_id']) }} as moment_id,
    moments.moment_id as period_moment_id,
    moments.moment_state as period_state,
    late_periods.next_moment_id,
    next_moments.billing_at as next_billing_at,
    late_periods.cause,
    false as is_rerated,
    cast(null as varchar) as credit_note_code,
    'restated' as moment_state,
    {# what is known before the next invoice; what waits for one: at as_of #}
    coalesce(
        greatest(next_moments.finalizes_at, next_moments.usage_to_at), moments.as_of + interval '1 microsecond'
    ) as finalizes_at,
    cast(null as bigint) as usage_known_batch_id,
    false as is_last_invoice,
    {% for column in kept_columns + priced_by_columns() -%}
        moments.{{ column }}{% if not loop.last %},{% endif %}
    {% endfor %}
from late_periods
inner join moments
    on late_periods.moment_id = moments.moment_id
left join moments as next_moments
    on late_periods.next_moment_id = next_moments.moment_id

union all

{# every draft of the payer at that time: which of them is meant shows when the invoices are there #}
select
    {{ surrogate_key(['moments.moment_id', "'noted'", 'notes.credit_note_code']) }} as moment_id,
    moments.moment_id as period_moment_id,
    moments.moment_state as period_state,
    cast(null as varchar) as next_moment_id,
    cast(null as timestamp) as next_billing_at,
    cast(null as varchar) as cause,
    false as is_rerated,
    notes.credit_note_code,
    'noted' as moment_state,
    notes.created_at as finalizes_at,
    cast(null as bigint) as usage_known_batch_id,
    false as is_last_invoice,
    {% for column in kept_columns + priced_by_columns() -%}
        moments.{{ column }}{% if not loop.last %},{% endif %}
    {% endfor %}
from noted_payers as notes
inner join payers
    on
        notes.organization_id = payers.organization_id
        and notes.payer_external_customer_id = payers.payer_external_customer_id
inner join moments
    on
        payers.organization_id = moments.organization_id
        and payers.external_customer_id = moments.external_customer_id
        and notes.created_at >= moments.billing_at
        and notes.created_at < moments.finalizes_at

union all

{# decided at once, by the close that learns it #}
select
    {{ surrogate_key(['moments.moment_id', "'rerated'", 'rerated.close_id']) }} as moment_id,
    moments.moment_id as period_moment_id,
    moments.moment_state as period_state,
    cast(null as varchar) as next_moment_id,
    cast(null as timestamp) as next_billing_at,
    rerated.cause,
    true as is_rerated,
    cast(null as varchar) as credit_note_code,
    'restated' as moment_state,
    rerated.usage_known_to_at as finalizes_at,
    rerated.usage_known_batch_id,
    rerated.is_last_invoice,
    {% for column in kept_columns + priced_by_columns() -%}
        moments.{{ column }}{% if not loop.last %},{% endif %}
    {% endfor %}
from {{ ref('int_rerated_periods') }} as rerated
inner join moments
    on rerated.moment_id = moments.moment_id
