{%- set columns = [
    'period_moment_id', 'organization_id', 'external_customer_id', 'external_subscription_id', 'timezone_history', 'as_of',
    'usage_from_at', 'usage_to_at', 'usage_from_date', 'usage_to_date', 'usage_full_to_date', 'usage_full_days_count', 'usage_days_count',
    'ended_by', 'usage_known_batch_id', 'metered_charge_id', 'plan_code', 'plan_effective_at', 'charge_code', 'charge_position', 'charge_name', 'charge_model',
    'is_pay_in_advance', 'is_invoiceable', 'is_prorated', 'min_amount_cents', 'applied_pricing_unit_code',
    'pricing_unit_conversion_rate', 'billable_metric_code', 'metric_effective_at', 'event_code', 'aggregation_type',
    'field_name', 'is_recurring', 'rounding_function', 'rounding_precision', 'history_from_at', 'is_carried_over',
] -%}
{#- at an instant of the period so far nothing is known of an end that comes before the period's -#}
{%- set so_far = {
    'usage_to_at': 'windows.usage_to_at',
    'usage_to_date': 'metered_charges.usage_full_to_date',
    'usage_days_count': 'cast('
        ~ days_between('metered_charges.usage_from_date', 'metered_charges.usage_full_to_date') ~ ' + 1 as integer)',
    'ended_by': 'cast(null as varchar)',
    'is_carried_over': 'false',
} -%}
with

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

windows as (

    select * from {{ ref('int_usage_windows') }}

),

advance_windows as (

    select * from {{ ref('int_advance_windows') }}

),

corrected_codes as (

    select distinct
        advance_windows.period_moment_id,
        advance_windows.event_code
    from advance_windows

),

{#
  What adds up or compares whatever the order of the events is counted from int_event_totals, the rest event by event
  from int_event_readings. Of one moment all charges on a code go the same way.
#}
totalled_codes as (

    select
        metered_charges.moment_id,
        metered_charges.event_code
    from metered_charges
    left join windows
        on metered_charges.moment_id = windows.period_moment_id
    group by metered_charges.moment_id, metered_charges.event_code
    having
        count(windows.window_id) = 0
        and min(metered_charges.moment_state) not in ('restated', 'noted')
        and count(distinct metered_charges.field_name) <= 1
        and min(
            case
                when
                    not metered_charges.is_recurring
                    and not metered_charges.is_prorated
                    and not metered_charges.is_pay_in_advance
                    and metered_charges.charge_model in (
                        'standard', 'graduated', 'package', 'volume', 'graduated_percentage'
                    )
                    and metered_charges.aggregation_type <> 'custom_agg'
                    then 1
                else 0
            end
        ) = 1

)

{#
  The usage of a whole period, and of the period so far at each instant at which a threshold may be crossed; proration
  and weighting run to the period's end in both (docs/billing-rules.md, Usage).
#}
select
    metered_charges.moment_id,
    metered_charges.moment_state,
    metered_charges.usage_to_at as events_to_at,
    {# an event at the very end of a subscription comes before its invoice; nothing after as_of may count #}
    least(
        greatest(metered_charges.finalizes_at, metered_charges.usage_to_at),
        metered_charges.as_of + interval '1 microsecond'
    ) as known_to_at,
    totalled_codes.event_code is not null as is_totalled,
    {# where events were corrected, the windows below say what they are charged #}
    metered_charges.is_pay_in_advance
    and metered_charges.moment_state <> 'restated'
    and corrected_codes.event_code is null as is_charging,
    cast(null as timestamp) as charging_from_at,
    {% for column in columns %}
        metered_charges.{{ column }},
    {% endfor %}
    {# the day of an upgrade belongs to the new row: docs/billing-rules.md, Life cycle #}
    {{ add_days('metered_charges.usage_to_date', "case when metered_charges.ended_by = 'upgrade' then -1 else 0 end") }}
        as prorated_to_date
from metered_charges
left join totalled_codes
    on
        metered_charges.moment_id = totalled_codes.moment_id
        and metered_charges.event_code = totalled_codes.event_code
left join corrected_codes
    on
        metered_charges.moment_id = corrected_codes.period_moment_id
        and metered_charges.event_code = corrected_codes.event_code

union all

select
    windows.window_id as moment_id,
    'window' as moment_state,
    windows.window_at + interval '1 microsecond' as events_to_at,
    windows.window_at + interval '1 microsecond' as known_to_at,
    false as is_totalled,
    false as is_charging,
    cast(null as timestamp) as charging_from_at,
    {% for column in columns %}
        {{ so_far.get(column, 'metered_charges.' ~ column) }} as {{ column }},
    {% endfor %}
    metered_charges.usage_full_to_date as prorated_to_date
from metered_charges
inner join windows
    on metered_charges.moment_id = windows.period_moment_id
where metered_charges.is_invoiceable and not metered_charges.is_pay_in_advance

union all

select
    advance_windows.window_id as moment_id,
    'charging' as moment_state,
    least(metered_charges.usage_to_at, advance_windows.known_to_at) as events_to_at,
    advance_windows.known_to_at,
    false as is_totalled,
    true as is_charging,
    advance_windows.known_from_at as charging_from_at,
    {% for column in columns %}
        metered_charges.{{ column }},
    {% endfor %}
    metered_charges.usage_full_to_date as prorated_to_date
from metered_charges
inner join advance_windows
    on
        metered_charges.moment_id = advance_windows.period_moment_id
        and metered_charges.event_code = advance_windows.event_code
where metered_charges.is_pay_in_advance
