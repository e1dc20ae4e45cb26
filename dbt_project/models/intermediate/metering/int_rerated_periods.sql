{#
  Billed periods whose prices, or whose rules, changed since the organisation's last close: this close derives them once
  more. Prices: a plan or a metric that was landed anew under its date, with other content than names, or under a date
  that lies before what was billed. Rules: the last close was made by another version of the code; of the last year, so
  that an upgrade stays affordable.
#}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

last_closes as (

    select
        ranked.organization_id,
        ranked.close_id,
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

{# versions that came, or came anew with other prices #}
landings as (

    select
        plan_landings.organization_id,
        'plan' as record_type,
        plan_landings.plan_code as record_code,
        plan_landings.row_plan_code,
        plan_landings.effective_at,
        plan_landings.batch_id,
        plan_landings.agreed_external_customer_id,
        greatest(plan_landings.effective_at, coalesce(plan_landings.agreed_from_at, plan_landings.effective_at))
            as valid_from_at,
        plan_landings.is_reach_changed
    from {{ ref('stg_book__plan_landings') }} as plan_landings
    where plan_landings.is_repriced

    union all

    select
        metric_landings.organization_id,
        'billable_metric' as record_type,
        metric_landings.billable_metric_code as record_code,
        cast(null as varchar) as row_plan_code,
        metric_landings.effective_at,
        metric_landings.batch_id,
        cast(null as varchar) as agreed_external_customer_id,
        metric_landings.effective_at as valid_from_at,
        false as is_reach_changed
    from {{ ref('stg_book__billable_metric_landings') }} as metric_landings
    where metric_landings.is_repriced

),

{# since the last close #}
repriced as (

    select landings.*
    from landings
    inner join last_closes
        on
            landings.organization_id = last_closes.organization_id
            and landings.batch_id > last_closes.known_batch_id
    inner join close_scope
        on
            landings.organization_id = close_scope.organization_id
            and landings.batch_id <= close_scope.known_batch_id

),

billed_moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'finalized' and is_invoiced

),

{# with the versions that are in force for them as far as is known now #}
moments as (

    select
        {% for column in [
            'moment_id', 'organization_id', 'external_customer_id', 'external_subscription_id',
            'subscription_created_at', 'reason', 'billing_at', 'finalizes_at', 'closed_date', 'opened_date',
            'row_started_at', 'full_started_at', 'usage_from_at', 'usage_to_at', 'known_batch_id',
        ] -%}
            billed_moments.{{ column }},
        {% endfor -%}
        {{ priced_by_now('billed_moments', 'repriced_moments') }},
        repriced_moments.moment_id is not null as is_repriced
    from billed_moments
    left join {{ ref('int_repriced_moments') }} as repriced_moments
        on billed_moments.moment_id = repriced_moments.moment_id

),

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

{# events that were charged as they came, in the periods that the last close billed, and what was known then #}
charged_before as (

    {% for source in ['stg_ledger__moments', 'stg_ledger__standalone_fees'] -%}
        select distinct
            billed.moment_id,
            charged.known_batch_id
        from {{ ref('stg_ledger__moments') }} as billed
        inner join last_closes
            on
                billed.organization_id = last_closes.organization_id
                and billed.close_id = last_closes.close_id
        inner join {{ ref(source) }} as charged
            on
                billed.organization_id = charged.organization_id
                and billed.external_subscription_id = charged.external_subscription_id
                and billed.subscription_created_at = charged.subscription_created_at
                and billed.usage_from_at = charged.usage_from_at
                and charged.reason = 'advance_charge'
                and billed.known_batch_id > charged.known_batch_id
        where billed.reason <> 'advance_charge'
        {% if not loop.last %}

            union distinct

        {% endif %}
    {%- endfor %}

),

{# plans with fixed charges, whose periods may be others than those of plan fee and usage #}
repriced_fixed_charges as (

    select distinct
        repriced.organization_id,
        repriced.row_plan_code,
        coalesce(fixed_charges.is_pay_in_advance, false) as is_pay_in_advance
    from repriced
    inner join {{ ref('stg_book__fixed_charges') }} as fixed_charges
        on
            repriced.organization_id = fixed_charges.organization_id
            and repriced.record_code = fixed_charges.plan_code
    where repriced.record_type = 'plan'

),

fixed_periods as (

    {% for day, edge, is_pay_in_advance in [
        ('closed_date', 'to_date', 'false'), ('opened_date', 'from_date', 'true'),
    ] -%}
        select
            moments.moment_id,
            moments.organization_id,
            moments.external_subscription_id,
            moments.subscription_created_at,
            greatest(period_calendars.started_at, moments.row_started_at) as priced_at
        from moments
        inner join subscriptions
            on
                moments.organization_id = subscriptions.organization_id
                and moments.external_subscription_id = subscriptions.external_subscription_id
                and moments.subscription_created_at = subscriptions.created_at
        inner join repriced_fixed_charges
            on
                subscriptions.organization_id = repriced_fixed_charges.organization_id
                and subscriptions.plan_code = repriced_fixed_charges.row_plan_code
                and repriced_fixed_charges.is_pay_in_advance = {{ is_pay_in_advance }}
        inner join {{ ref('int_periods_by_year') }} as period_calendars
            on {{ is_period_of_day(
                'period_calendars', 'subscriptions',
                "case when subscriptions.is_fixed_billed_monthly then 'monthly' else subscriptions.plan_interval end",
                'moments.' ~ day
            ) }}
        where moments.reason <> 'renewal' or moments.{{ day }} = period_calendars.{{ edge }}
        {% if not loop.last %}

            union all

        {% endif %}
    {%- endfor %}

),

found as (

    {# the plan of the usage, of the fee (in advance the next period's), of the commitment, and the following one #}
    {% for plan in ['', 'fee_', 'commitment_', 'next_'] -%}
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
    {# no longer of a version that reaches it no more #}
    select
        moments.moment_id,
        'corrected_price' as cause
    from moments
    inner join subscriptions
        on
            moments.organization_id = subscriptions.organization_id
            and moments.external_subscription_id = subscriptions.external_subscription_id
            and moments.subscription_created_at = subscriptions.created_at
    inner join repriced
        on
            subscriptions.organization_id = repriced.organization_id
            and subscriptions.plan_code = repriced.row_plan_code
            and coalesce(repriced.agreed_external_customer_id, moments.external_customer_id)
            = moments.external_customer_id
            and moments.billing_at >= repriced.valid_from_at
    where moments.is_repriced or repriced.is_reach_changed

    union distinct

    {# of a period that was open when its plan came, or came anew, events that were charged before #}
    select
        moments.moment_id,
        'corrected_price' as cause
    from moments
    inner join charged_before
        on moments.moment_id = charged_before.moment_id
    inner join last_closes
        on moments.organization_id = last_closes.organization_id
    inner join landings
        on
            moments.organization_id = landings.organization_id
            and landings.record_type = 'plan'
            and moments.plan_code = landings.record_code
            and moments.plan_effective_at = landings.effective_at
            and charged_before.known_batch_id < landings.batch_id
            and last_closes.known_batch_id >= landings.batch_id

    union distinct

    select
        fixed_periods.moment_id,
        'corrected_price' as cause
    from fixed_periods
    inner join {{ ref('int_subscription_plan_versions') }} as plan_versions
        on
            fixed_periods.organization_id = plan_versions.organization_id
            and fixed_periods.external_subscription_id = plan_versions.external_subscription_id
            and fixed_periods.subscription_created_at = plan_versions.created_at
            and fixed_periods.priced_at >= plan_versions.valid_from_at
            and fixed_periods.priced_at < plan_versions.valid_to_at
    inner join repriced
        on
            plan_versions.organization_id = repriced.organization_id
            and repriced.record_type = 'plan'
            and plan_versions.plan_code = repriced.record_code
            and plan_versions.plan_effective_at = repriced.effective_at

    union distinct

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
