{{ config(pre_hook='{{ prefer_hash_joins() }}') }}

{%- set columns = [
    'moment_id', 'moment_state', 'organization_id', 'external_customer_id', 'external_subscription_id',
    'subscription_created_at', 'base_plan_code', 'billing_at', 'usage_from_at', 'usage_to_at',
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
        cast(null as varchar) as period_moment_id,
        moments.moment_state as period_state,
        false as is_rerated,
        cast(null as timestamp) as next_billing_at
    from {{ ref('int_billing_moments') }} as moments

    union all

    select
        {% for column in columns -%}
            restated.{{ column }},
        {% endfor -%}
        restated.period_moment_id,
        restated.period_state,
        restated.is_rerated,
        restated.next_billing_at
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

charges as (

    select * from {{ ref('stg_book__charges') }}

),

{# the commitment by the days of the period: docs/billing-rules.md, Life cycle #}
committed as (

    select
        moments.moment_id,
        moments.moment_state,
        moments.period_moment_id,
        moments.period_state,
        moments.is_rerated,
        moments.next_billing_at,
        finalized_moments.close_id as billed_close_id,
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.billing_at,
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
    left join {{ ref('stg_ledger__moments') }} as finalized_moments
        on moments.period_moment_id = finalized_moments.moment_id

),

{# of subscriptions that committed themselves to something #}
finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}
    where external_subscription_id in (select committed.external_subscription_id from committed)

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
        and fees.moment_id in (select finalized_moments.moment_id from finalized_moments)

),

{# fees without an invoice count as well #}
standalone_fees as (

    select fees.*
    from {{ ref('stg_ledger__standalone_fees') }} as fees
    left join open_fees
        on fees.fee_id = open_fees.fee_id
    where open_fees.fee_id is null

),

{# what became known of billed periods, with which invoice or close, and whether it was settled or only reported #}
found_before as (

    select
        restatements.*,
        restatements.outcome in ('adjusted', 'credited', 'balanced', 'absorbed') as is_settled,
        next_moments.billing_at as next_billing_at
    from {{ ref('stg_ledger__restatements') }} as restatements
    left join finalized_moments as next_moments
        on restatements.next_moment_id = next_moments.moment_id
    where restatements.fee_type in ('subscription', 'charge', 'true_up', 'fixed_charge')

),

row_fees as (

    select
        'billed' as source,
        cast(null as boolean) as is_settled,
        cast(null as timestamp) as next_billing_at,
        cast(null as bigint) as found_close_id,
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
        'billed' as source,
        cast(null as boolean) as is_settled,
        cast(null as timestamp) as next_billing_at,
        cast(null as bigint) as found_close_id,
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
        'billed' as source,
        cast(null as boolean) as is_settled,
        cast(null as timestamp) as next_billing_at,
        cast(null as bigint) as found_close_id,
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

    union all

    select
        'found' as source,
        found_before.is_settled,
        found_before.next_billing_at,
        found_before.close_id as found_close_id,
        finalized_moments.moment_id,
        cast(null as varchar) as period_moment_id,
        found_before.fee_type,
        found_before.fee_code,
        found_before.from_date,
        found_before.to_date,
        found_before.difference_amount_cents as amount_cents,
        found_before.transaction_id is null as is_of_billing_moment,
        case when found_before.transaction_id is not null then finalized_moments.usage_from_at end as charged_from_at,
        finalized_moments.organization_id,
        finalized_moments.external_subscription_id,
        finalized_moments.subscription_created_at,
        finalized_moments.plan_code,
        finalized_moments.plan_effective_at
    from found_before
    inner join finalized_moments
        on found_before.moment_id = finalized_moments.moment_id

),

{#
  What counts is dated by the first day that it is for. The renewal of recurring units paid in advance is for the period
  that follows the one whose level it takes.
#}
counted as (

    select
        row_fees.source,
        row_fees.is_settled,
        row_fees.next_billing_at,
        row_fees.found_close_id,
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
        row_fees.amount_cents,
        {# differences of a fee that no invoice carries are not settled #}
        coalesce(charges.is_invoiceable, true) as is_invoiceable
    from row_fees
    left join charges
        on
            row_fees.fee_type = 'charge'
            and row_fees.organization_id = charges.organization_id
            and row_fees.plan_code = charges.plan_code
            and row_fees.plan_effective_at = charges.effective_at
            and row_fees.fee_code = charges.charge_code

),

{#
  Other billed periods of the row as this close derives them once more. A commitment settles what was billed: with its own
  invoice it counts of them what is settled with that, or with one before it, where late usage is. A period that is
  restated counts all that became known after its invoice.
#}
other_periods as (

    select
        committed.moment_id,
        committed.moment_state = 'restated' as is_restated,
        others.moment_id as known_moment_id,
        others.period_moment_id,
        case when others.usage_from_at < others.usage_to_at then others.usage_from_at end as usage_from_at,
        case
            when committed.moment_state <> 'restated'
                then
                    customers.late_usage = 'adjust'
                    and not others.is_rerated
                    and others.next_billing_at <= committed.billing_at
            when committed.is_rerated then others.is_rerated
            else
                others.is_rerated
                or coalesce(others.next_billing_at, {{ end_of_time() }})
                <= coalesce(committed.next_billing_at, {{ end_of_time() }})
        end as is_counted,
        {# known by the invoice, and not settled #}
        committed.period_state <> 'finalized'
        and (
            others.is_rerated
            or (customers.late_usage <> 'adjust' and coalesce(others.next_billing_at <= committed.billing_at, false))
        ) as is_left_out,
        row_number() over (
            partition by committed.moment_id, others.period_moment_id
            order by others.is_rerated desc, others.next_billing_at asc nulls last
        ) as place
    from committed
    inner join billing_moments as others
        on
            committed.organization_id = others.organization_id
            and committed.external_subscription_id = others.external_subscription_id
            and committed.subscription_created_at = others.subscription_created_at
            and others.moment_state = 'restated'
            and coalesce(committed.period_moment_id, committed.moment_id) <> others.period_moment_id
    inner join {{ ref('int_customers_resolved') }} as customers
        on
            committed.organization_id = customers.organization_id
            and committed.external_customer_id = customers.external_customer_id

),

{# the last that counts, less the last that does not, or what was known before #}
known_periods as (

    select
        counted_periods.*,
        left_out.known_moment_id as left_out_moment_id
    from (
        select
            other_periods.*,
            max(case when other_periods.is_counted then other_periods.place end) over of_period as counted_place,
            max(case when other_periods.is_left_out then other_periods.place end) over of_period as left_out_place
        from other_periods
        window of_period as (partition by other_periods.moment_id, other_periods.period_moment_id)
    ) as counted_periods
    left join other_periods as left_out
        on
            counted_periods.moment_id = left_out.moment_id
            and counted_periods.period_moment_id = left_out.period_moment_id
            and counted_periods.left_out_place = left_out.place
    where
        counted_periods.place = counted_periods.counted_place
        and counted_periods.counted_place > coalesce(counted_periods.left_out_place, 0)

),

within as (

    select
        committed.moment_id as committed_moment_id,
        committed.moment_state = 'restated' as is_restated,
        committed.period_moment_id as committed_period_moment_id,
        committed.billing_at,
        committed.billed_close_id,
        committed.usage_from_at,
        counted.*
    from committed
    inner join counted
        on
            committed.organization_id = counted.organization_id
            and committed.external_subscription_id = counted.external_subscription_id
            and committed.subscription_created_at = counted.subscription_created_at
            and committed.commitment_from_date <= counted.counts_for_date
            and committed.commitment_to_date >= counted.counts_for_date

),

contributions as (

    {# a period that is restated counts its fees, and its events paid in advance, as they are restated #}
    select
        within.committed_moment_id,
        within.amount_cents
    from within
    where
        within.source = 'billed'
        and (
            within.committed_moment_id = within.moment_id
            or (
                within.period_moment_id is null
                and (
                    within.committed_period_moment_id is null
                    or (
                        within.committed_period_moment_id <> within.moment_id
                        and coalesce(within.usage_from_at <> within.charged_from_at, true)
                    )
                )
            )
        )

    union all

    select
        within.committed_moment_id,
        within.amount_cents
    from within
    where
        within.source = 'found'
        and coalesce(within.committed_period_moment_id, within.committed_moment_id) <> within.moment_id
        and (
            within.is_settled
            or (
                within.is_restated
                and coalesce(
                    within.next_billing_at > within.billing_at, within.found_close_id > within.billed_close_id, false
                )
            )
        )

    union all

    {# what this close makes of another period #}
    select
        within.committed_moment_id,
        case when within.moment_id = known_periods.known_moment_id then 1 else -1 end * within.amount_cents
            as amount_cents
    from within
    inner join known_periods
        on
            within.committed_moment_id = known_periods.moment_id
            and (known_periods.is_restated or within.is_invoiceable)
            and (
                within.moment_id in (known_periods.known_moment_id, known_periods.left_out_moment_id)
                or (
                    known_periods.left_out_moment_id is null
                    and within.period_moment_id is null
                    and (
                        within.moment_id = known_periods.period_moment_id
                        or within.charged_from_at = known_periods.usage_from_at
                    )
                )
            )

),

settled as (

    select
        contributions.committed_moment_id as moment_id,
        {# an unknown amount leaves the true-up unknown too #}
        case
            when count(*) = count(contributions.amount_cents) then cast(sum(contributions.amount_cents) as bigint)
        end as amount_cents
    from contributions
    group by contributions.committed_moment_id

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
