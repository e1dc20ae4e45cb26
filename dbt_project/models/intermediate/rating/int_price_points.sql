{# Wide and made of little: joining it for each reader costs less than writing it. #}
{{ config(materialized='view') }}

with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}

),

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

allowances as (

    select * from {{ ref('int_percentage_allowances') }}

),

last_allowances as (

    select
        allowances.moment_id,
        allowances.charge_code,
        allowances.filter_position,
        allowances.group_values,
        max(allowances.sequence_number) as sequence_number
    from allowances
    where allowances.list_number = 0
    group by allowances.moment_id, allowances.charge_code, allowances.filter_position, allowances.group_values

),

{# usage with the free allowance that all of its events leave #}
allowed as (

    select
        usage.usage_id,
        usage.moment_id,
        usage.charge_code,
        usage.filter_position,
        usage.group_values,
        usage.full_units,
        usage.units,
        usage.units_rest,
        usage.events_count,
        coalesce(allowances.free_units, 0) as free_units,
        coalesce(allowances.free_events_count, 0) as free_events_count
    from usage
    left join last_allowances
        on
            usage.moment_id = last_allowances.moment_id
            and usage.charge_code = last_allowances.charge_code
            and usage.filter_position = last_allowances.filter_position
            and usage.group_values = last_allowances.group_values
    left join allowances
        on
            allowances.list_number = 0
            and last_allowances.moment_id = allowances.moment_id
            and last_allowances.charge_code = allowances.charge_code
            and last_allowances.filter_position = allowances.filter_position
            and last_allowances.group_values = allowances.group_values
            and last_allowances.sequence_number = allowances.sequence_number

),

running as (

    select
        allowed.*,
        charge_windows.is_recurring,
        charge_windows.is_pay_in_advance,
        charge_windows.aggregation_type in ('count_agg', 'sum_agg') and not charge_windows.is_recurring as is_growing,
        {{ seconds_between('charge_windows.usage_from_at', 'charge_windows.usage_to_at') }} as period_seconds,
        greatest(
            {{ seconds_between('charge_windows.usage_from_at', 'charge_windows.as_of') }}, 1
        ) as passed_seconds
    from allowed
    inner join charge_windows
        on
            allowed.moment_id = charge_windows.moment_id
            and allowed.charge_code = charge_windows.charge_code
            and charge_windows.moment_state = 'running'

),

advance as (

    select
        advance.*,
        advance.running_total - advance.billed_units as total_without,
        {# the events of a unique count are its units (docs/billing-rules.md, Usage) #}
        case
            when charge_windows.aggregation_type = 'unique_count_agg' then advance.running_total
            else advance.known_count
        end as count_with,
        case
            when charge_windows.aggregation_type = 'unique_count_agg'
                then advance.running_total - advance.billed_units
            else advance.known_count - 1
        end as count_without
    from {{ ref('int_advance_events') }} as advance
    inner join charge_windows
        on
            advance.moment_id = charge_windows.moment_id
            and advance.charge_code = charge_windows.charge_code
    where advance.is_charged or charge_windows.moment_state = 'restated'

),

points as (

    select
        allowed.usage_id as point_id,
        'usage' as point_kind,
        allowed.usage_id,
        allowed.moment_id,
        allowed.charge_code,
        allowed.filter_position,
        allowed.group_values,
        allowed.full_units,
        allowed.units,
        allowed.units_rest,
        allowed.events_count,
        allowed.free_units,
        allowed.free_events_count
    from allowed

    {#
      A forecast of the running period's end: sums and counts go on at the pace of the period so far; a level (latest,
      maximum, unique count, recurring, weighted) stays as it is. Of more than 18 digits nothing is foretold.
    #}
    union all

    select
        running.usage_id || ' projected' as point_id,
        'projected' as point_kind,
        running.usage_id,
        running.moment_id,
        running.charge_code,
        running.filter_position,
        running.group_values,
        {% for units in ['full_units', 'units'] -%}
            case
                when running.is_growing and abs(running.{{ units }}) >= 1000000000000000000 then null
                when running.is_growing
                    then {{ quantity_of_scaled(divide_half_away(
                        '(' ~ scaled_quantity('running.' ~ units) ~ ' * running.period_seconds)',
                        'running.passed_seconds'
                    )) }}
                else running.{{ units }}
            end as {{ units }},
        {% endfor -%}
        running.units_rest,
        running.events_count,
        running.free_units,
        running.free_events_count
    from running

    {# while the period of a recurring charge paid in advance runs: what its renewal would cost now #}
    union all

    select
        running.usage_id || ' renewal' as point_id,
        'renewal' as point_kind,
        running.usage_id,
        running.moment_id,
        running.charge_code,
        running.filter_position,
        running.group_values,
        running.full_units,
        running.full_units as units,
        running.units_rest,
        running.events_count,
        running.free_units,
        running.free_events_count
    from running
    where running.is_pay_in_advance and running.is_recurring

    {#
      An event of a charge paid in advance costs the price of the total with it less the price of the total without it
      (docs/billing-rules.md, Prices): two points.
    #}
    {% for side, total in [('with', 'running_total'), ('without', 'total_without')] -%}
        union all

        select
            advance.charging_id || ' {{ side }}' as point_id,
            '{{ side }}' as point_kind,
            cast(null as varchar) as usage_id,
            advance.moment_id,
            advance.charge_code,
            advance.filter_position,
            advance.group_values,
            advance.{{ total }} as full_units,
            advance.{{ total }} as units,
            0 as units_rest,
            advance.count_{{ side }} as events_count,
            coalesce(allowances.free_units, 0) as free_units,
            coalesce(allowances.free_events_count, 0) as free_events_count
        from advance
        left join allowances
            on
                advance.moment_id = allowances.moment_id
                and advance.charge_code = allowances.charge_code
                and advance.filter_position = allowances.filter_position
                and advance.group_values = allowances.group_values
                and advance.sequence_number = allowances.sequence_number
                and advance.list_number = allowances.list_number
        {% if side == 'without' -%}
            {# nothing was owed without it: the first flat fee falls due once, with the event that begins the level #}
            where advance.is_begun or advance.total_without > 0
        {%- endif %}
    {% endfor %}
)

select
    points.point_id,
    points.point_kind,
    points.usage_id,
    points.moment_id,
    points.charge_code,
    points.filter_position,
    points.group_values,
    charge_windows.organization_id,
    charge_windows.plan_code,
    charge_windows.plan_effective_at,
    charge_windows.charge_model,
    charge_windows.is_prorated and not charge_windows.is_pay_in_advance as is_prorated,
    cast(points.full_units as decimal(38, 12)) as full_units,
    cast(points.units as decimal(38, 12)) as units,
    cast(points.units_rest as bigint) as units_rest,
    cast(points.events_count as bigint) as events_count,
    cast(points.free_units as decimal(38, 12)) as free_units,
    cast(points.free_events_count as bigint) as free_events_count
from points
inner join charge_windows
    on
        points.moment_id = charge_windows.moment_id
        and points.charge_code = charge_windows.charge_code
