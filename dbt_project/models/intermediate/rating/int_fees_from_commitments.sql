{{ config(pre_hook='{{ prefer_hash_joins() }}') }}

{%- set columns = [
    'moment_id', 'moment_state', 'organization_id', 'external_subscription_id', 'subscription_created_at', 'base_plan_code',
    'usage_from_at',
    'plan_code', 'plan_effective_at', 'commitment_plan_code', 'commitment_plan_effective_at', 'commitment_from_date',
    'commitment_to_date', 'commitment_days_count', 'commitment_full_days_count',
] -%}
with

{# a period that is restated counts its own fees in place of those that were billed for it #}
billing_moments as (

    select
        {% for column in columns -%}
            moments.{{ column }},
        {% endfor -%}
        cast(null as varchar) as period_moment_id
    from {{ ref('int_billing_moments') }} as moments

    union all

    select
        {% for column in columns -%}
            restated.{{ column }},
        {% endfor -%}
        restated.period_moment_id
    from {{ ref('int_restated_moments') }} as restated

),

moments as (

    select * from billing_moments
    where billing_moments.moment_state <> 'finalized' and billing_moments.commitment_from_date is not null

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

{# the commitment by the days of the period: docs/billing-rules.md, Life cycle #}
committed as (

    select
        moments.moment_id,
        moments.moment_state,
        moments.period_moment_id,
        moments.organization_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.usage_from_at,
        moments.base_plan_code,
        moments.commitment_plan_code as plan_code,
        moments.commitment_plan_effective_at as plan_effective_at,
        moments.commitment_from_date,
        moments.commitment_to_date,
        moments.commitment_days_count,
        moments.commitment_full_days_count,
        plan_versions.amount_currency as currency,
        currencies.exponent as currency_exponent,
        coalesce(plan_versions.invoice_display_name, plan_versions.plan_name, moments.base_plan_code) as plan_name,
        plan_versions.minimum_commitment_amount_cents,
        cast({{ divide_half_away(
            'cast(plan_versions.minimum_commitment_amount_cents as ' ~ wide_integer() ~ ') * moments.commitment_days_count',
            'moments.commitment_full_days_count'
        ) }} as bigint) as due_amount_cents
    from moments
    inner join plan_versions
        on
            moments.organization_id = plan_versions.organization_id
            and moments.commitment_plan_code = plan_versions.plan_code
            and moments.commitment_plan_effective_at = plan_versions.effective_at
            and plan_versions.minimum_commitment_amount_cents > 0
    left join currencies
        on plan_versions.amount_currency = currencies.currency_code

),

{# fees of open moments, and of those that earlier closes finalised; each once #}
open_fees as (

    {% for source, period_moment in [
        ('int_fees_from_plans', 'moment_id'),
        ('int_fees_from_usage', 'moment_id'),
        ('int_fees_from_true_ups', 'moment_id'),
        ('int_fees_from_fixed_charges', 'moment_id'),
        ('int_fees_from_advance_charges', 'period_moment_id'),
    ] -%}
        select
            fees.fee_id,
            fees.moment_id,
            fees.{{ period_moment }} as billing_moment_id,
            fees.fee_type,
            fees.fee_code,
            fees.from_date,
            fees.to_date,
            fees.amount_cents
        from {{ ref(source) }} as fees
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

finalized_fees as (

    select fees.*
    from {{ ref('stg_ledger__fees') }} as fees
    left join open_fees
        on fees.fee_id = open_fees.fee_id
    where
        open_fees.fee_id is null
        and fees.fee_type in ('subscription', 'charge', 'true_up', 'fixed_charge')

),

{# fees without an invoice count as well #}
standalone_fees as (

    select fees.*
    from {{ ref('stg_ledger__standalone_fees') }} as fees
    left join open_fees
        on fees.fee_id = open_fees.fee_id
    where open_fees.fee_id is null

),

row_fees as (

    select
        billing_moments.moment_id,
        billing_moments.period_moment_id,
        open_fees.fee_type,
        open_fees.fee_code,
        open_fees.from_date,
        open_fees.to_date,
        open_fees.amount_cents,
        open_fees.moment_id = open_fees.billing_moment_id as is_of_billing_moment,
        case when open_fees.moment_id <> open_fees.billing_moment_id then billing_moments.usage_from_at end
            as charged_from_at,
        billing_moments.organization_id,
        billing_moments.external_subscription_id,
        billing_moments.subscription_created_at,
        billing_moments.plan_code,
        billing_moments.plan_effective_at
    from open_fees
    inner join billing_moments
        on open_fees.billing_moment_id = billing_moments.moment_id

    union all

    select
        finalized_moments.moment_id,
        cast(null as varchar) as period_moment_id,
        finalized_fees.fee_type,
        finalized_fees.fee_code,
        finalized_fees.from_date,
        finalized_fees.to_date,
        finalized_fees.amount_cents,
        {#
          Events paid in advance have moments of their own. What a threshold invoice shows comes again, and what was
          regrouped has been made before.
        #}
        finalized_moments.reason <> 'advance_charge' as is_of_billing_moment,
        case when finalized_moments.reason = 'advance_charge' then finalized_moments.usage_from_at end
            as charged_from_at,
        finalized_moments.organization_id,
        finalized_moments.external_subscription_id,
        finalized_moments.subscription_created_at,
        finalized_moments.plan_code,
        finalized_moments.plan_effective_at
    from finalized_fees
    inner join finalized_moments
        on finalized_fees.moment_id = finalized_moments.moment_id
    where finalized_moments.reason not in ('progressive_billing', 'advance_charges')

    union all

    select
        standalone_fees.period_moment_id as moment_id,
        cast(null as varchar) as period_moment_id,
        'charge' as fee_type,
        standalone_fees.fee_code,
        standalone_fees.from_date,
        standalone_fees.to_date,
        standalone_fees.amount_cents,
        standalone_fees.reason <> 'advance_charge' as is_of_billing_moment,
        case when standalone_fees.reason = 'advance_charge' then standalone_fees.usage_from_at end
            as charged_from_at,
        standalone_fees.organization_id,
        standalone_fees.external_subscription_id,
        standalone_fees.subscription_created_at,
        standalone_fees.plan_code,
        standalone_fees.plan_effective_at
    from standalone_fees

),

{#
  What counts is dated by the first day that it is for. The renewal of recurring units paid in advance is for the period
  that follows the one whose level it takes.
#}
counted as (

    select
        row_fees.moment_id,
        row_fees.period_moment_id,
        row_fees.organization_id,
        row_fees.external_subscription_id,
        row_fees.subscription_created_at,
        case
            when charges.is_pay_in_advance and row_fees.is_of_billing_moment
                then {{ add_days('row_fees.to_date', 1) }}
            else row_fees.from_date
        end as counts_for_date,
        row_fees.charged_from_at,
        row_fees.amount_cents
    from row_fees
    left join charges
        on
            row_fees.fee_type = 'charge'
            and row_fees.organization_id = charges.organization_id
            and row_fees.plan_code = charges.plan_code
            and row_fees.plan_effective_at = charges.effective_at
            and row_fees.fee_code = charges.charge_code

),

settled as (

    select
        committed.moment_id,
        {# an unknown amount leaves the true-up unknown too #}
        case when count(*) = count(counted.amount_cents) then cast(sum(counted.amount_cents) as bigint) end
            as amount_cents
    from committed
    inner join counted
        on
            committed.organization_id = counted.organization_id
            and committed.external_subscription_id = counted.external_subscription_id
            and committed.subscription_created_at = counted.subscription_created_at
            and committed.commitment_from_date <= counted.counts_for_date
            and committed.commitment_to_date >= counted.counts_for_date
            {# a period that is restated counts its fees, and its events paid in advance, as they are restated #}
            and (
                committed.moment_id = counted.moment_id
                or (
                    counted.period_moment_id is null
                    and (
                        committed.period_moment_id is null
                        or (
                            committed.period_moment_id <> counted.moment_id
                            and coalesce(committed.usage_from_at <> counted.charged_from_at, true)
                        )
                    )
                )
            )
    group by committed.moment_id

),

missing as (

    select
        committed.*,
        committed.due_amount_cents
        - case when settled.moment_id is null then 0 else settled.amount_cents end as amount_cents
    from committed
    left join settled
        on committed.moment_id = settled.moment_id

)

select
    {{ surrogate_key(['missing.moment_id', "'commitment'"]) }} as fee_id,
    missing.moment_id,
    missing.plan_code,
    missing.plan_effective_at,
    'commitment' as fee_type,
    missing.base_plan_code as fee_code,
    missing.plan_name as fee_name,
    2000000 as fee_position,
    0 as filter_position,
    cast(null as varchar) as billable_metric_code,
    cast(null as varchar) as charge_model,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    missing.commitment_from_date as from_date,
    missing.commitment_to_date as to_date,
    cast(1 as decimal(38, 12)) as units,
    cast(0 as bigint) as events_count,
    cast(null as decimal(21, 12)) as unit_price,
    missing.currency,
    missing.currency_exponent,
    missing.amount_cents,
    cast(missing.amount_cents as decimal(38, 15)) as precise_amount_cents
from missing
where missing.amount_cents > 0 or missing.amount_cents is null
