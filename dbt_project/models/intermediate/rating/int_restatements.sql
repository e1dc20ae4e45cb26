{#
  What later knowledge changes of billed periods, line by line: what the line comes to, less what was billed of it and
  what earlier restatements found. What the period's differences come to decides what happens to them. Of a charge in
  advance each event is a line.
#}
{%- set columns = [
    'fee_id', 'moment_id', 'fee_type', 'fee_code', 'fee_name', 'fee_position', 'filter_position',
    'billable_metric_code', 'charge_model', 'filter_values', 'group_values', 'from_date', 'to_date', 'units',
    'events_count', 'currency', 'currency_exponent', 'amount_cents', 'transaction_id',
] -%}
{%- set described = [
    'fee_type', 'fee_code', 'fee_name', 'fee_position', 'filter_position', 'billable_metric_code', 'charge_model',
    'filter_values', 'group_values', 'from_date', 'to_date', 'currency', 'currency_exponent', 'transaction_id',
] -%}
with

restated_moments as (

    select * from {{ ref('int_restated_moments') }}
    where moment_state = 'restated'

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

{# of events paid in advance: what this close charges, and what periods that are restated come to #}
advance_fees as (

    select * from {{ ref('int_fees_from_advance_charges') }}

),

standalone_fees as (

    select
        fees.*,
        'charge' as fee_type
    from {{ ref('stg_ledger__standalone_fees') }} as fees

),

{# only what can be restated: periods that are, and those of this close that they are compared with #}
open_fees as (

    {% for source in [
        ref('int_fees_from_plans'), ref('int_fees_from_usage'), ref('int_fees_from_true_ups'),
        ref('int_fees_from_fixed_charges'), ref('int_fees_from_commitments'),
    ] -%}
        select
            {% for column in columns[:-1] -%}
                sources.{{ column }},
            {% endfor -%}
            cast(null as varchar) as transaction_id
        from {{ source }} as sources
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

periods as (

    select distinct
        restated_moments.period_moment_id,
        restated_moments.organization_id,
        restated_moments.external_subscription_id,
        {# a moment without usage, such as a start in advance, begins when the period does whose events these are #}
        case
            when restated_moments.usage_from_at < restated_moments.usage_to_at then restated_moments.usage_from_at
        end as usage_from_at,
        {# of a period that is not billed yet, only what was billed as it came can differ #}
        coalesce(restated_moments.period_state not in ('running', 'draft'), true) as is_billed
    from restated_moments

),

{# what was billed for these periods, and what was paid in advance of their subscriptions #}
ledger_moments as (

    select
        moments.moment_id,
        moments.usage_from_at,
        case when moments.reason = 'advance_charge' then moments.request_id end as transaction_id
    from {{ ref('stg_ledger__moments') }} as moments
    where
        moments.moment_id in (select periods.period_moment_id from periods)
        or (
            moments.reason = 'advance_charge'
            and moments.external_subscription_id in (select periods.external_subscription_id from periods)
        )

),

ledger_fees as (

    select
        fees.*,
        moments.usage_from_at,
        moments.transaction_id
    from {{ ref('stg_ledger__fees') }} as fees
    inner join ledger_moments as moments
        on fees.moment_id = moments.moment_id

),

{# the events of these periods as they were charged; the billing of a period knows them by its first instant #}
charged as (

    {% for source, billed_moment_id, condition in [
        ('ledger_fees', 'fees.moment_id', 'fees.transaction_id is not null'),
        ('standalone_fees', 'cast(null as varchar)', "fees.reason = 'advance_charge'"),
    ] -%}
        select
            periods.period_moment_id,
            {{ billed_moment_id }} as billed_moment_id,
            {% for column in columns if column != 'moment_id' -%}
                {% if column.endswith('_position') %}0 as {{ column }}{% else %}fees.{{ column }}{% endif %}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from {{ source }} as fees
        inner join periods
            on
                fees.organization_id = periods.organization_id
                and fees.external_subscription_id = periods.external_subscription_id
                and fees.usage_from_at = periods.usage_from_at
        where {{ condition }}

        union all

    {% endfor -%}
    select
        fees.period_moment_id,
        case when fees.is_invoiceable then fees.moment_id end as billed_moment_id,
        {% for column in columns if column != 'moment_id' -%}
            fees.{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from advance_fees as fees
    inner join periods
        on fees.period_moment_id = periods.period_moment_id
    left join ledger_fees
        on fees.fee_id = ledger_fees.fee_id
    left join standalone_fees
        on fees.fee_id = standalone_fees.fee_id
    where fees.is_charged and ledger_fees.fee_id is null and standalone_fees.fee_id is null

),

restated_fees as (

    select
        {{ period_fee_id('restated_moments.period_moment_id', 'fees') }} as period_fee_id,
        restated_moments.period_moment_id,
        {% for column in columns -%}
            fees.{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from open_fees as fees
    inner join restated_moments
        on fees.moment_id = restated_moments.moment_id
    inner join periods
        on
            restated_moments.period_moment_id = periods.period_moment_id
            and periods.is_billed

    union all

    {# the line that charged the event; another one where it lies in another bucket, or was never charged #}
    select
        coalesce(charged.fee_id, {{ surrogate_key([
            'restated_moments.period_moment_id', 'fees.charged_fee_id', 'fees.filter_position',
            "coalesce(fees.group_values, '')",
        ]) }}) as period_fee_id,
        restated_moments.period_moment_id,
        {% for column in columns -%}
            {{ 'restated_moments.moment_id' if column == 'moment_id' else 'fees.' ~ column }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from advance_fees as fees
    inner join restated_moments
        on
            fees.period_moment_id = restated_moments.moment_id
            and not fees.is_charged
    left join charged
        on
            restated_moments.period_moment_id = charged.period_moment_id
            and fees.charged_fee_id = charged.fee_id
            and coalesce(fees.filter_values, '') = coalesce(charged.filter_values, '')
            and coalesce(fees.group_values, '') = coalesce(charged.group_values, '')

),

{# a line without a price cannot be compared #}
unpriced as (

    select distinct restated_fees.moment_id
    from restated_fees
    where restated_fees.amount_cents is null

),

billed_fees as (

    select
        fees.fee_id as period_fee_id,
        fees.moment_id as period_moment_id,
        fees.moment_id as billed_moment_id,
        {% for column in described -%}
            fees.{{ column }},
        {% endfor -%}
        fees.units,
        fees.events_count,
        fees.amount_cents
    from open_fees as fees
    inner join periods
        on
            fees.moment_id = periods.period_moment_id
            and periods.is_billed

    union all

    select
        fees.fee_id as period_fee_id,
        fees.moment_id as period_moment_id,
        fees.moment_id as billed_moment_id,
        {% for column in described -%}
            {% if column.endswith('_position') %}0 as {{ column }}{% else %}fees.{{ column }}{% endif %},
        {% endfor -%}
        fees.units,
        fees.events_count,
        fees.amount_cents
    from ledger_fees as fees
    inner join periods
        on fees.moment_id = periods.period_moment_id
    where fees.fee_type in ('subscription', 'charge', 'true_up', 'fixed_charge', 'commitment')

    union all

    select
        fees.fee_id as period_fee_id,
        fees.period_moment_id,
        cast(null as varchar) as billed_moment_id,
        {% for column in described -%}
            {% if column.endswith('_position') %}0 as {{ column }}{% else %}fees.{{ column }}{% endif %},
        {% endfor -%}
        fees.units,
        fees.events_count,
        fees.amount_cents
    from standalone_fees as fees
    inner join periods
        on fees.period_moment_id = periods.period_moment_id
    where fees.reason <> 'advance_charge'

    union all

    select
        charged.fee_id as period_fee_id,
        charged.period_moment_id,
        charged.billed_moment_id,
        {% for column in described -%}
            charged.{{ column }},
        {% endfor -%}
        charged.units,
        charged.events_count,
        charged.amount_cents
    from charged

),

found_before as (

    select
        restatements.fee_id as period_fee_id,
        sum(restatements.units_difference) as units,
        sum(restatements.events_count_difference) as events_count,
        sum(restatements.difference_amount_cents) as amount_cents
    from {{ ref('stg_ledger__restatements') }} as restatements
    inner join periods
        on restatements.moment_id = periods.period_moment_id
    group by restatements.fee_id

),

lines as (

    select
        named.period_moment_id,
        named.period_fee_id,
        {% for column in described -%}
            max(named.{{ column }}) as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from (
        {% for source in ['billed_fees', 'restated_fees'] -%}
            select
                fees.period_moment_id,
                fees.period_fee_id,
                {% for column in described -%}
                    fees.{{ column }}{% if not loop.last %},{% endif %}
                {% endfor %}
            from {{ source }} as fees

            union all

        {% endfor -%}
        {# found before, and gone again #}
        select
            restatements.moment_id as period_moment_id,
            restatements.fee_id as period_fee_id,
            {% for column in described -%}
                {% if column.endswith('_position') %}0 as {{ column }}
                {%- elif column == 'charge_model' %}cast(null as varchar) as {{ column }}
                {%- else %}restatements.{{ column }}{% endif %}{% if not loop.last %},{% endif %}
            {% endfor %}
        from {{ ref('stg_ledger__restatements') }} as restatements
        inner join periods
            on restatements.moment_id = periods.period_moment_id
    ) as named
    group by named.period_moment_id, named.period_fee_id

),

compared as (

    select
        restated_moments.moment_id as restated_moment_id,
        restated_moments.next_moment_id,
        restated_moments.next_billing_at,
        restated_moments.cause,
        restated_moments.is_rerated,
        restated_moments.organization_id,
        restated_moments.external_customer_id,
        restated_moments.external_subscription_id,
        restated_moments.close_id,
        restated_moments.plan_code,
        restated_moments.plan_effective_at,
        lines.*,
        {# a fee that no invoice carries is not settled by one either #}
        coalesce(charges.is_invoiceable, true) as is_settled,
        billed_fees.billed_moment_id,
        coalesce(billed_fees.amount_cents, 0) as billed_amount_cents,
        {% for column in ['units', 'events_count', 'amount_cents'] -%}
            coalesce(restated_fees.{{ column }}, 0) as restated_{{ column }},
            coalesce(billed_fees.{{ column }}, 0) + coalesce(found_before.{{ column }}, 0) as known_{{ column }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from restated_moments
    inner join lines
        on restated_moments.period_moment_id = lines.period_moment_id
    left join unpriced
        on restated_moments.moment_id = unpriced.moment_id
    left join restated_fees
        on
            restated_moments.moment_id = restated_fees.moment_id
            and lines.period_fee_id = restated_fees.period_fee_id
    left join billed_fees
        on lines.period_fee_id = billed_fees.period_fee_id
    left join found_before
        on lines.period_fee_id = found_before.period_fee_id
    left join charges
        on
            lines.fee_type = 'charge'
            and restated_moments.organization_id = charges.organization_id
            and restated_moments.plan_code = charges.plan_code
            and restated_moments.plan_effective_at = charges.effective_at
            and lines.fee_code = charges.charge_code
    where unpriced.moment_id is null

),

{# with the usage known so far, then each invoice that knows more of it: the difference to the one before #}
chained as (

    select
        compared.*,
        {% for column in ['units', 'events_count', 'amount_cents'] -%}
            compared.restated_{{ column }} - coalesce(
                lag(compared.restated_{{ column }}) over (
                    partition by compared.period_fee_id
                    order by compared.is_rerated desc, compared.next_billing_at asc nulls last
                ), compared.known_{{ column }}
            ) as difference_{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from compared

),

netted as (

    select
        chained.*,
        customers.late_usage,
        customers.late_usage_limit_cents,
        next_plans.amount_currency as next_currency,
        sum(chained.difference_amount_cents) over period_lines as net_cents,
        sum(greatest(chained.difference_amount_cents, 0)) over period_lines as more_cents,
        sum(greatest(-chained.difference_amount_cents, 0)) over period_lines as less_cents,
        sum(greatest(chained.difference_amount_cents, 0)) over lines_of_period as more_up_to_cents,
        sum(greatest(-chained.difference_amount_cents, 0)) over lines_of_period as less_up_to_cents
    from chained
    inner join {{ ref('int_customers_resolved') }} as customers
        on
            chained.organization_id = customers.organization_id
            and chained.external_customer_id = customers.external_customer_id
    left join {{ ref('int_billing_moments') }} as next_moments
        on chained.next_moment_id = next_moments.moment_id
    left join plan_versions as next_plans
        on
            next_moments.organization_id = next_plans.organization_id
            and next_moments.plan_code = next_plans.plan_code
            and next_moments.plan_effective_at = next_plans.effective_at
    window period_lines as (
        partition by chained.restated_moment_id, chained.is_settled
    ), lines_of_period as (
        partition by chained.restated_moment_id, chained.is_settled
        order by {{ binary_order('chained.fee_code') }}, chained.period_fee_id
        rows between unbounded preceding and current row
    )

),

judged as (

    select
        netted.*,
        case
            when netted.is_rerated then 'reported'
            when netted.next_moment_id is null then 'pending'
            when
                netted.late_usage = 'report' or netted.next_currency <> netted.currency or not netted.is_settled
                then 'reported'
            when netted.net_cents = 0 then 'balanced'
            when abs(netted.net_cents) < netted.late_usage_limit_cents then 'absorbed'
            when netted.net_cents > 0 then 'adjusted'
            else 'credited'
        end as outcome
    from netted

)

{# what is less on one line and more on another of the period is set off before anything is billed or credited #}
select
    {{ surrogate_key(['judged.restated_moment_id', 'judged.period_fee_id']) }} as restatement_id,
    judged.restated_moment_id,
    judged.period_moment_id as moment_id,
    judged.next_moment_id,
    judged.next_billing_at,
    judged.organization_id,
    judged.external_customer_id,
    judged.external_subscription_id,
    judged.period_fee_id as fee_id,
    judged.plan_code,
    judged.plan_effective_at,
    {% for column in described -%}
        judged.{{ column }},
    {% endfor -%}
    judged.cause,
    judged.is_rerated,
    judged.outcome,
    cast(judged.difference_units as decimal(38, 12)) as units_difference,
    cast(judged.difference_events_count as bigint) as events_count_difference,
    cast(judged.billed_amount_cents as bigint) as billed_amount_cents,
    cast(judged.restated_amount_cents as bigint) as restated_amount_cents,
    cast(judged.difference_amount_cents as bigint) as difference_amount_cents,
    cast(
        case
            when judged.outcome = 'adjusted' and judged.difference_amount_cents > 0
                then judged.difference_amount_cents - least(
                    judged.difference_amount_cents,
                    greatest(judged.less_cents - (judged.more_up_to_cents - judged.difference_amount_cents), 0)
                )
            when judged.outcome = 'credited' and judged.difference_amount_cents < 0
                then judged.difference_amount_cents + least(
                    -judged.difference_amount_cents,
                    greatest(judged.more_cents - (judged.less_up_to_cents + judged.difference_amount_cents), 0)
                )
            else 0
        end as bigint
    ) as settled_amount_cents,
    judged.close_id,
    judged.billed_moment_id
from judged
where
    judged.difference_amount_cents <> 0
    or judged.difference_units <> 0
    or judged.difference_events_count <> 0
