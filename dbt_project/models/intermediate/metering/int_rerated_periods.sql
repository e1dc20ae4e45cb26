{#
  Billed periods whose prices, or whose rules, changed since the organisation's last close: this close derives them once
  more. Prices: a plan or a metric that was landed anew under its date, with other content than names. Rules: the last
  close was made by another version of the code; of the last year, so that an upgrade stays affordable.
#}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

last_closes as (

    select
        ranked.organization_id,
        ranked.known_batch_id,
        ranked.code_version
    from (
        select
            closes.*,
            row_number() over (partition by closes.organization_id order by closes.close_id desc) as recency
        from {{ ref('stg_ledger__close_organizations') }} as closes
    ) as ranked
    where ranked.recency = 1

),

landings as (

    select
        plan_landings.organization_id,
        'plan' as record_type,
        plan_landings.plan_code as record_code,
        plan_landings.effective_at,
        plan_landings.batch_id,
        plan_landings.price_hash
    from {{ ref('stg_book__plan_landings') }} as plan_landings

    union all

    select
        metric_landings.organization_id,
        'billable_metric' as record_type,
        metric_landings.billable_metric_code as record_code,
        metric_landings.effective_at,
        metric_landings.batch_id,
        metric_landings.price_hash
    from {{ ref('stg_book__billable_metric_landings') }} as metric_landings

),

{# the newest version that is known now, and the newest that the last close knew #}
known as (

    select
        landings.*,
        landings.batch_id <= last_closes.known_batch_id as was_known,
        row_number() over (
            partition by
                landings.organization_id, landings.record_type, landings.record_code, landings.effective_at,
                landings.batch_id <= last_closes.known_batch_id
            order by landings.batch_id desc
        ) as recency
    from landings
    inner join last_closes
        on landings.organization_id = last_closes.organization_id
    inner join close_scope
        on
            landings.organization_id = close_scope.organization_id
            and landings.batch_id <= close_scope.known_batch_id

),

repriced as (

    select
        known.organization_id,
        known.record_type,
        known.record_code,
        known.effective_at
    from known
    inner join known as before_it
        on
            known.organization_id = before_it.organization_id
            and known.record_type = before_it.record_type
            and known.record_code = before_it.record_code
            and known.effective_at = before_it.effective_at
            and known.price_hash <> before_it.price_hash
    where not known.was_known and known.recency = 1 and before_it.was_known and before_it.recency = 1

),

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'finalized'

),

found as (

    {# the plan of the usage, that of the fee (in advance the next period's) and that of the commitment #}
    {% for plan in ['', 'fee_', 'commitment_'] -%}
        select
            moments.moment_id,
            'corrected_price' as cause
        from moments
        inner join repriced
            on
                moments.organization_id = repriced.organization_id
                and repriced.record_type = 'plan'
                and moments.{{ plan }}plan_code = repriced.record_code
                and moments.{{ plan }}plan_effective_at = repriced.effective_at

        union distinct

    {% endfor -%}
    select
        moments.moment_id,
        'corrected_price' as cause
    from moments
    inner join {{ ref('stg_book__charges') }} as charges
        on
            moments.organization_id = charges.organization_id
            and moments.plan_code = charges.plan_code
            and moments.plan_effective_at = charges.effective_at
    inner join {{ ref('int_metric_versions') }} as metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and moments.full_started_at >= metric_versions.valid_from_at
            and moments.full_started_at < metric_versions.valid_to_at
    inner join repriced
        on
            metric_versions.organization_id = repriced.organization_id
            and repriced.record_type = 'billable_metric'
            and metric_versions.billable_metric_code = repriced.record_code
            and metric_versions.valid_from_at = repriced.effective_at
    where moments.usage_from_at < moments.usage_to_at

    union distinct

    select
        moments.moment_id,
        'changed_code' as cause
    from moments
    inner join close_scope
        on moments.organization_id = close_scope.organization_id
    inner join last_closes
        on
            moments.organization_id = last_closes.organization_id
            and last_closes.code_version is distinct from close_scope.code_version
    where moments.billing_at >= close_scope.as_of - interval '1 year'

),

{# up to when, and up to which batch, the subscription's invoices count usage #}
last_invoices as (

    select
        moments.organization_id,
        moments.external_subscription_id,
        max(greatest(moments.finalizes_at, moments.usage_to_at)) as billed_at,
        max(moments.known_batch_id) as known_batch_id
    from moments
    group by moments.organization_id, moments.external_subscription_id

)

select
    found.moment_id,
    {{ dbt.listagg('found.cause', "', '", 'order by found.cause') }} as cause,
    min(last_invoices.billed_at) as usage_known_to_at,
    min(last_invoices.known_batch_id) as usage_known_batch_id,
    min(greatest(moments.finalizes_at, moments.usage_to_at)) = min(last_invoices.billed_at) as is_last_invoice,
    min(close_scope.close_id) as close_id
from found
inner join moments
    on found.moment_id = moments.moment_id
inner join last_invoices
    on
        moments.organization_id = last_invoices.organization_id
        and moments.external_subscription_id = last_invoices.external_subscription_id
inner join close_scope
    on moments.organization_id = close_scope.organization_id
group by found.moment_id
