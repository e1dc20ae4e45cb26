with

charge_windows as (

    {# what events in advance are charged is no usage of its own #}
    select * from {{ ref('int_charge_windows') }}
    where coalesce(moment_state <> 'charging', true)

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

readings as (

    select
        readings.*,
        charge_windows.aggregation_type,
        case when charge_windows.is_prorated then charge_windows.prorated_to_date end as prorated_to_date,
        local_offsets.utc_offset_seconds
    from {{ ref('int_event_readings') }} as readings
    inner join charge_windows
        on
            readings.moment_id = charge_windows.moment_id
            and readings.charge_code = charge_windows.charge_code
    {# a local date is needed for proration only #}
    left join local_offsets
        on
            charge_windows.is_prorated
            and readings.is_in_period
            and charge_windows.timezone_history = local_offsets.timezone_history
            and readings.event_at >= local_offsets.valid_from_at
            and readings.event_at < local_offsets.valid_to_at

),

{# all aggregations that add up or compare, in one pass #}
event_sums as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        count(readings.quantity) as events_count,
        count(case when readings.is_in_period then readings.quantity end) as period_events_count,
        sum(readings.quantity) as total,
        max(case when readings.is_in_period then readings.quantity end) as highest_value,
        sum(case when not readings.is_in_period then readings.quantity end) as carried_total,
        sum(
            case
                when readings.is_in_period and readings.prorated_to_date is not null
                    {# an event of the day of an upgrade, a day after that date, weighs nothing #}
                    then readings.quantity * cast(
                        {{ days_between(
                            to_local_date('readings.event_at', 'readings.utc_offset_seconds'),
                            'readings.prorated_to_date'
                        ) }} + 1 as decimal(11, 0)
                    )
            end
        ) as period_unit_days,
        sum(readings.precise_total_amount_cents) as precise_total_amount_cents
    from readings
    {# what the metric cannot read is invisible, and makes no group #}
    where readings.quantity is not null
    group by readings.moment_id, readings.charge_code, readings.filter_position, readings.group_values

),

total_sums as (

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        sum(totals.quantities_count) as events_count,
        sum(totals.total) as total,
        max(totals.highest_value) as highest_value
    from {{ ref('int_charge_totals') }} as totals
    where totals.quantities_count > 0
    group by totals.moment_id, totals.charge_code, totals.filter_position, totals.group_values

),

sums as (

    select
        event_sums.moment_id,
        event_sums.charge_code,
        event_sums.filter_position,
        event_sums.group_values,
        event_sums.events_count,
        event_sums.period_events_count,
        event_sums.total,
        event_sums.highest_value,
        event_sums.carried_total,
        event_sums.period_unit_days,
        event_sums.precise_total_amount_cents
    from event_sums

    union all

    select
        total_sums.moment_id,
        total_sums.charge_code,
        total_sums.filter_position,
        total_sums.group_values,
        total_sums.events_count,
        total_sums.events_count as period_events_count,
        total_sums.total,
        total_sums.highest_value,
        null as carried_total,
        null as period_unit_days,
        null as precise_total_amount_cents
    from total_sums

),

stays as (

    select
        stays.moment_id,
        stays.charge_code,
        stays.filter_position,
        stays.group_values,
        sum(stays.days_count) as unit_days
    from {{ ref('int_prorated_stays') }} as stays
    group by stays.moment_id, stays.charge_code, stays.filter_position, stays.group_values

),

advance_levels as (

    {# how far the highest level of the period, which has been paid for, lies above the present one #}
    select
        advance.moment_id,
        advance.charge_code,
        advance.filter_position,
        advance.group_values,
        max(advance.highest_total) as highest_total,
        sum(advance.change) as period_total,
        sum(advance.billed_prorated_units) as billed_prorated_units
    from {{ ref('int_advance_events') }} as advance
    group by advance.moment_id, advance.charge_code, advance.filter_position, advance.group_values

),

{# every bucket counts, also without events: its flat fees may be due (docs/billing-rules.md, Usage and Prices) #}
grid as (

    select
        charge_windows.moment_id,
        charge_windows.charge_code,
        buckets.filter_position,
        coalesce(sums.group_values, buckets.null_group_values) as group_values,
        sums.group_values as used_group_values
    from charge_windows
    inner join buckets
        on
            charge_windows.organization_id = buckets.organization_id
            and charge_windows.plan_code = buckets.plan_code
            and charge_windows.plan_effective_at = buckets.plan_effective_at
            and charge_windows.charge_code = buckets.charge_code
    left join sums
        on
            charge_windows.moment_id = sums.moment_id
            and charge_windows.charge_code = sums.charge_code
            and buckets.filter_position = sums.filter_position

),

aggregated as (

    select
        grid.moment_id,
        grid.charge_code,
        grid.filter_position,
        grid.group_values,
        charge_windows.aggregation_type,
        charge_windows.moment_state,
        charge_windows.is_prorated,
        charge_windows.is_pay_in_advance,
        charge_windows.rounding_function,
        charge_windows.rounding_precision,
        charge_windows.usage_days_count,
        charge_windows.usage_full_days_count,
        grid.used_group_values is not null as has_events,
        case charge_windows.aggregation_type
            when 'count_agg' then coalesce(sums.events_count, 0)
            when 'sum_agg' then coalesce(sums.events_count, 0)
            when 'custom_agg' then coalesce(sums.events_count, 0)
            when 'unique_count_agg' then coalesce(unique_counts.units, 0)
            else coalesce(sums.period_events_count, 0)
        end as events_count,
        cast(
            coalesce(
                case charge_windows.aggregation_type
                    when 'count_agg' then sums.total
                    when 'sum_agg' then sums.total
                    when 'max_agg' then sums.highest_value
                    when 'latest_agg' then greatest(latest.latest_value, 0)
                    when 'unique_count_agg' then unique_counts.units
                    when 'weighted_sum_agg' then weighted.units
                    when 'custom_agg' then custom.units
                end, 0
            ) as decimal(38, 12)
        ) as full_units,
        coalesce(weighted.units_rest, 0) as units_rest,
        coalesce(sums.total, 0) as total,
        coalesce(sums.carried_total, 0) as carried_total,
        case charge_windows.aggregation_type
            when 'unique_count_agg' then coalesce(stays.unit_days, 0)
            else coalesce(sums.period_unit_days, 0)
        end as period_unit_days,
        case charge_windows.aggregation_type
            when 'unique_count_agg' then coalesce(unique_counts.units, 0) - coalesce(advance_levels.period_total, 0)
            else coalesce(sums.total, 0) - coalesce(advance_levels.period_total, 0)
        end as advance_carried_total,
        coalesce(advance_levels.highest_total, 0) as advance_highest_total,
        coalesce(advance_levels.billed_prorated_units, 0) as advance_billed_prorated_units,
        sums.precise_total_amount_cents
    from grid
    inner join charge_windows
        on
            grid.moment_id = charge_windows.moment_id
            and grid.charge_code = charge_windows.charge_code
    {% for name, table in [
        ('sums', 'sums'),
        ('unique_counts', ref('int_unique_counts')),
        ('stays', 'stays'),
        ('advance_levels', 'advance_levels'),
        ('weighted', ref('int_weighted_levels')),
        ('latest', ref('int_latest_values')),
        ('custom', ref('int_usage_custom')),
    ] -%}
        left join {{ table }}{% if name != table %} as {{ name }}{% endif %}
            on
                grid.moment_id = {{ name }}.moment_id
                and grid.charge_code = {{ name }}.charge_code
                and grid.filter_position = {{ name }}.filter_position
                and grid.used_group_values = {{ name }}.group_values
    {% endfor %}
),

{#
  What is priced: prorated units where the charge is prorated, and while the period of a charge paid in
  advance runs, what has been paid for.
#}
prorated as (

    select
        aggregated.*,
        case
            when aggregated.is_pay_in_advance and aggregated.moment_state = 'running' and aggregated.is_prorated
                then {{ prorate_units(
                    '(aggregated.advance_carried_total * aggregated.usage_days_count)',
                    'aggregated.usage_full_days_count'
                ) }} + aggregated.advance_billed_prorated_units
            when aggregated.is_pay_in_advance and aggregated.moment_state = 'running'
                then aggregated.advance_carried_total + aggregated.advance_highest_total
            when aggregated.is_pay_in_advance or not aggregated.is_prorated then aggregated.full_units
            when aggregated.aggregation_type = 'unique_count_agg'
                then {{ prorate_units('aggregated.period_unit_days', 'aggregated.usage_full_days_count') }}
            else {{ prorate_units(
                '(aggregated.carried_total * aggregated.usage_days_count + aggregated.period_unit_days)',
                'aggregated.usage_full_days_count'
            ) }}
        end as priced_units
    from aggregated

),

{# the metric's rounding, per bucket and group; not in advance #}
rounded as (

    select
        prorated.*,
        case when prorated.is_pay_in_advance then null else prorated.rounding_function end as applied_rounding,
        {# rounding up looks at all 20 digits of a weighted sum #}
        case
            when
                prorated.rounding_function = 'ceil'
                and prorated.units_rest > 0
                and coalesce(prorated.rounding_precision, 0) < 12
                then cast(0.000000000001 as decimal(38, 12))
            else cast(0 as decimal(38, 12))
        end as units_above
    from prorated

)

select
    {{ surrogate_key([
        'rounded.moment_id', 'rounded.charge_code', 'rounded.filter_position', 'rounded.group_values'
    ]) }} as usage_id,
    rounded.moment_id,
    rounded.charge_code,
    cast(rounded.filter_position as integer) as filter_position,
    rounded.group_values,
    {# nothing at all is billed in advance for what was never used #}
    not rounded.is_pay_in_advance or rounded.has_events as is_billable,
    cast(rounded.events_count as bigint) as events_count,
    rounded.full_units as units_before_rounding,
    cast({{ round_units(
        '(rounded.full_units + rounded.units_above)', 'rounded.applied_rounding', 'rounded.rounding_precision'
    ) }} as decimal(38, 12)) as full_units,
    cast({{ round_units(
        '(cast(rounded.priced_units as decimal(38, 12)) + rounded.units_above)',
        'rounded.applied_rounding',
        'rounded.rounding_precision'
    ) }} as decimal(38, 12)) as units,
    case when rounded.applied_rounding is null then rounded.units_rest else 0 end as units_rest,
    cast(rounded.total as decimal(38, 12)) as total_aggregated_units,
    cast(rounded.precise_total_amount_cents as decimal(38, 12)) as precise_total_amount_cents
from rounded
