{#
  Billed periods that are priced by other versions now than when they were billed: a version of the plan, or a rate card,
  landed after that and is in force from a time before it. What a period is billed for (days, usage, moments) stays.
#}
{%- set rhythm = [
    'plan_interval', 'is_pay_in_advance', 'is_usage_billed_monthly', 'is_fixed_billed_monthly', 'amount_currency',
] -%}
with

landings as (

    select landings.*
    from {{ ref('stg_book__plan_landings') }} as landings
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            landings.organization_id = close_scope.organization_id
            and landings.batch_id <= close_scope.known_batch_id
    where landings.is_repriced

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

local_days as (

    select * from {{ ref('int_local_days') }}

),

versions as (

    select
        row_versions.*,
        {% for column in rhythm -%}
            plan_versions.{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref('int_subscription_plan_versions') }} as row_versions
    inner join plan_versions
        on
            row_versions.organization_id = plan_versions.organization_id
            and row_versions.plan_code = plan_versions.plan_code
            and row_versions.plan_effective_at = plan_versions.effective_at

),

{# the plan of a row, and the one that follows it #}
row_plans as (

    {% for column in ['plan_code', 'next_plan_code'] -%}
        select
            subscriptions.organization_id,
            subscriptions.external_subscription_id,
            subscriptions.created_at,
            subscriptions.next_created_at,
            subscriptions.timezone_history,
            subscriptions.{{ column }} as row_plan_code
        from {{ ref('int_subscriptions_started') }} as subscriptions
        where subscriptions.{{ column }} is not null
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

{# of whose plan something landed later that is not later itself #}
touched as (

    select distinct
        moments.moment_id,
        row_plans.timezone_history,
        row_plans.next_created_at
    from {{ ref('int_billing_moments') }} as moments
    inner join row_plans
        on
            moments.organization_id = row_plans.organization_id
            and moments.external_subscription_id = row_plans.external_subscription_id
            and moments.subscription_created_at = row_plans.created_at
    inner join landings
        on
            row_plans.organization_id = landings.organization_id
            and row_plans.row_plan_code = landings.row_plan_code
            and moments.known_batch_id < landings.batch_id
            and moments.billing_at >= landings.effective_at
    where moments.moment_state = 'finalized'

),

{# when the versions had to be in force: as for moments that are billed now #}
dated as (

    select
        moments.*,
        touched.next_created_at,
        case when moments.has_plan_fee then greatest(fee_days.started_at, moments.row_started_at) end as fee_priced_at,
        case
            when moments.commitment_from_date is not null
                then greatest(commitment_days.started_at, moments.row_started_at)
        end as committed_at,
        {% for column in rhythm -%}
            billed_versions.{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from touched
    inner join {{ ref('int_billing_moments') }} as moments
        on touched.moment_id = moments.moment_id
    inner join plan_versions as billed_versions
        on
            moments.organization_id = billed_versions.organization_id
            and moments.plan_code = billed_versions.plan_code
            and moments.plan_effective_at = billed_versions.effective_at
    left join local_days as fee_days
        on
            touched.timezone_history = fee_days.timezone_history
            and moments.full_from_date = fee_days.local_date
    left join local_days as commitment_days
        on
            touched.timezone_history = commitment_days.timezone_history
            and moments.commitment_from_date = commitment_days.local_date

),

{# a version in another rhythm, or currency, has no price for these periods #}
versioned as (

    select
        dated.moment_id,
        {% for versions, prefix in [
            ('usage_versions', ''), ('fee_versions', 'fee_'), ('commitment_versions', 'commitment_'),
            ('next_versions', 'next_'),
        ] -%}
            dated.{{ prefix }}plan_code as billed_{{ prefix }}plan_code,
            dated.{{ prefix }}plan_effective_at as billed_{{ prefix }}plan_effective_at,
            coalesce({{ versions }}.plan_code, dated.{{ prefix }}plan_code) as {{ prefix }}plan_code,
            coalesce({{ versions }}.plan_effective_at, dated.{{ prefix }}plan_effective_at)
                as {{ prefix }}plan_effective_at{% if not loop.last %},{% endif %}
        {% endfor %}
    from dated
    {% for versions, instant in [
        ('usage_versions', 'full_started_at'), ('fee_versions', 'fee_priced_at'),
        ('commitment_versions', 'committed_at'),
    ] -%}
        left join versions as {{ versions }}
            on
                dated.organization_id = {{ versions }}.organization_id
                and dated.external_subscription_id = {{ versions }}.external_subscription_id
                and dated.subscription_created_at = {{ versions }}.created_at
                and dated.{{ instant }} >= {{ versions }}.valid_from_at
                and dated.{{ instant }} < {{ versions }}.valid_to_at
                {% for column in rhythm -%}
                    and dated.{{ column }} = {{ versions }}.{{ column }}
                {% endfor %}
    {% endfor -%}
    left join versions as next_versions
        on
            dated.organization_id = next_versions.organization_id
            and dated.external_subscription_id = next_versions.external_subscription_id
            and dated.next_created_at = next_versions.created_at
            and dated.next_plan_code is not null
            and dated.billing_at >= next_versions.valid_from_at
            and dated.billing_at < next_versions.valid_to_at

)

select
    versioned.moment_id,
    {% for prefix in ['', 'fee_', 'commitment_', 'next_'] -%}
        versioned.{{ prefix }}plan_code,
        versioned.{{ prefix }}plan_effective_at{% if not loop.last %},{% endif %}
    {% endfor %}
from versioned
where
    {% for prefix in ['', 'fee_', 'commitment_', 'next_'] -%}
        {% for column in ['plan_code', 'plan_effective_at'] -%}
            versioned.{{ prefix }}{{ column }} is distinct from versioned.billed_{{ prefix }}{{ column }}
            {% if not loop.last %}or {% endif %}
        {% endfor %}
        {% if not loop.last %}or {% endif %}
    {% endfor %}
