{#
  Units and amounts of custom metrics: the SQL aggregate expressions of the catalogue over the events of each bucket.

  An aggregate's argument is computed for each event, then aggregated, then units and amount are computed from the
  aggregates; both computations run the checked programs of the catalogue, a step at a time for all rows at once.
#}
{%- set bucket = ['moment_id', 'charge_code', 'filter_position', 'group_values'] -%}
{%- set whole = wide_integer() -%}

with recursive

programs as (

    select
        steps.organization_id,
        steps.billable_metric_code,
        steps.effective_at,
        steps.program,
        steps.slot,
        min(steps.step) - 1 as given_steps,
        max(steps.step) as last_step,
        row_number() over (
            order by
                {{ binary_order('steps.organization_id') }},
                {{ binary_order('steps.billable_metric_code') }},
                steps.effective_at,
                {{ binary_order('steps.program') }},
                steps.slot
        ) as program_number
    from {{ ref('stg_book__custom_aggregator_steps') }} as steps
    group by steps.organization_id, steps.billable_metric_code, steps.effective_at, steps.program, steps.slot

),

steps as (

    select
        programs.program_number,
        custom_steps.step,
        custom_steps.operation,
        custom_steps.left_step,
        custom_steps.right_step,
        custom_steps.third_step,
        {{ scaled_quantity('custom_steps.number_value') }} as number_value,
        custom_steps.text_value
    from {{ ref('stg_book__custom_aggregator_steps') }} as custom_steps
    inner join programs
        on
            custom_steps.organization_id = programs.organization_id
            and custom_steps.billable_metric_code = programs.billable_metric_code
            and custom_steps.effective_at = programs.effective_at
            and custom_steps.program = programs.program
            and custom_steps.slot = programs.slot

),

metered_events as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        charge_windows.organization_id,
        charge_windows.billable_metric_code,
        charge_windows.metric_effective_at as effective_at,
        readings.event_at,
        {{ parse_quantity('readings.value_text') }} as quantity,
        readings.properties
    from {{ ref('int_event_readings') }} as readings
    inner join {{ ref('int_charge_windows') }} as charge_windows
        on
            readings.moment_id = charge_windows.moment_id
            and readings.charge_code = charge_windows.charge_code
    where charge_windows.aggregation_type = 'custom_agg'

),

arguments_begun as (

    {# one row per event and aggregate of its metric; the first results are the event's value and its timestamp #}
    select
        {% for column in bucket -%}
            metered_events.{{ column }},
        {% endfor -%}
        programs.program_number,
        programs.given_steps as step,
        cast(
            array[
                {{ scaled_quantity('metered_events.quantity') }},
                cast({{ epoch_seconds('metered_events.event_at') }} as {{ whole }}) * {{ fixed_one() }}
            ] as {{ whole }}[]
        ) as numbers,
        cast(array[null, null] as varchar[]) as texts,
        cast(array[null, null] as varchar[]) as failures,
        metered_events.properties
    from metered_events
    inner join programs
        on
            metered_events.organization_id = programs.organization_id
            and metered_events.billable_metric_code = programs.billable_metric_code
            and metered_events.effective_at = programs.effective_at
    where programs.program = 'argument'

),

arguments_running as (

    {{ run_steps('arguments_begun', 'arguments_running', 'steps', bucket) }}

),

arguments as (

    select
        {% for column in bucket -%}
            arguments_running.{{ column }},
        {% endfor -%}
        programs.organization_id,
        programs.billable_metric_code,
        programs.effective_at,
        programs.slot,
        steps.operation as aggregate_function,
        cast(arguments_running.numbers[arguments_running.step] as decimal(38, 0)) as number,
        coalesce(
            arguments_running.texts[arguments_running.step],
            cast(arguments_running.numbers[arguments_running.step] as varchar)
        ) as text,
        arguments_running.failures[arguments_running.step] as failure
    from arguments_running
    inner join programs
        on
            arguments_running.program_number = programs.program_number
            and arguments_running.step = programs.last_step
    inner join steps
        on
            programs.program_number = steps.program_number
            and programs.last_step = steps.step

),

aggregates as (

    select
        {% for column in bucket -%}
            arguments.{{ column }},
        {% endfor -%}
        arguments.organization_id,
        arguments.billable_metric_code,
        arguments.effective_at,
        arguments.slot,
        case arguments.aggregate_function
            when 'sum' then cast(sum(arguments.number) as {{ whole }})
            when 'min' then cast(min(arguments.number) as {{ whole }})
            when 'max' then cast(max(arguments.number) as {{ whole }})
            when 'count' then cast(count(arguments.text) as {{ whole }}) * {{ fixed_one() }}
            when 'count_distinct' then cast(
                count(distinct case when arguments.aggregate_function = 'count_distinct' then arguments.text end)
                as {{ whole }}
            ) * {{ fixed_one() }}
        end as number,
        max(arguments.failure) as failure,
        count(*) as events_count
    from arguments
    group by
        {% for column in bucket -%}
            arguments.{{ column }},
        {% endfor -%}
        arguments.organization_id,
        arguments.billable_metric_code,
        arguments.effective_at,
        arguments.slot,
        arguments.aggregate_function

),

buckets as (

    select
        {% for column in bucket -%}
            aggregates.{{ column }},
        {% endfor -%}
        aggregates.organization_id,
        aggregates.billable_metric_code,
        aggregates.effective_at,
        max(aggregates.events_count) as events_count,
        cast(
            array_agg(case when aggregates.failure is null then aggregates.number end order by aggregates.slot)
            as {{ whole }}[]
        ) as numbers,
        cast(array_agg(cast(null as varchar) order by aggregates.slot) as varchar[]) as texts,
        cast(array_agg(aggregates.failure order by aggregates.slot) as varchar[]) as failures
    from aggregates
    group by
        {% for column in bucket -%}
            aggregates.{{ column }},
        {% endfor -%}
        aggregates.organization_id,
        aggregates.billable_metric_code,
        aggregates.effective_at

),

results_begun as (

    {# one row per bucket for its units and one for its amount; the first results are the aggregates #}
    select
        {% for column in bucket -%}
            buckets.{{ column }},
        {% endfor -%}
        buckets.events_count,
        programs.program_number,
        programs.given_steps as step,
        buckets.numbers,
        buckets.texts,
        buckets.failures,
        cast(null as varchar) as properties
    from buckets
    inner join programs
        on
            buckets.organization_id = programs.organization_id
            and buckets.billable_metric_code = programs.billable_metric_code
            and buckets.effective_at = programs.effective_at
    where programs.program <> 'argument'

),

results_running as (

    {{ run_steps('results_begun', 'results_running', 'steps', bucket + ['events_count']) }}

),

results as (

    select
        {% for column in bucket -%}
            results_running.{{ column }},
        {% endfor -%}
        results_running.events_count,
        programs.program,
        results_running.numbers[results_running.step] as number,
        {# units have the size of a quantity, an amount that of a line #}
        coalesce(
            results_running.failures[results_running.step],
            case
                when
                    abs(results_running.numbers[results_running.step])
                    >= case programs.program when 'units' then {{ power_of_ten(27) }} else {{ power_of_ten(25) }} end
                    then 'overflow'
            end
        ) as failure
    from results_running
    inner join programs
        on
            results_running.program_number = programs.program_number
            and results_running.step = programs.last_step

)

{# an aggregate of nothing is null in SQL and nothing to bill; what failed stays null, so that its customer is held #}
select
    {% for column in bucket -%}
        results.{{ column }},
    {% endfor -%}
    cast(max(results.events_count) as bigint) as events_count,
    {% for program in ['units', 'amount'] -%}
        {% set number = "case when results.program = '" ~ program ~ "' then results.number end" -%}
        cast(
            case
                when max(case when results.program = '{{ program }}' then results.failure end) is null
                    then coalesce({{ quantity_of_scaled("max(" ~ number ~ ")") }}, 0)
            end
            as decimal(38, 12)
        ) as {{ program }},
    {% endfor -%}
    max(results.failure) as failure
from results
group by
    {% for column in bucket -%}
        results.{{ column }}{% if not loop.last %},{% endif %}
    {% endfor %}
