{%- set round = current_round() -%}
{{ config(
    materialized='rounds',
    bound="select max(periods.windows) from (select count(*) as windows from {{ ref('int_threshold_windows') }}"
        ~ " as windows group by windows.period_id) as periods"
) }}

{#
  Thresholds that usage reaches, in order of time (docs/billing-rules.md, Thresholds). Each round finds the next crossing
  of every period, seen from the last one: what it billed is the level from which the next is measured. There are as many
  rounds as one period has crossings.
#}
with

windows as (

    select * from {{ ref('int_threshold_windows') }}

),

{# where each period stands: the newest progressive invoice of earlier closes, then what the last round found #}
levels as (

    select
        crossed.period_id,
        crossed.window_at,
        crossed.amount_cents
    from {{ this }} as crossed
    where crossed.round_no = {{ round }} - 1

    union all

    select distinct
        windows.period_id,
        coalesce(windows.last_billed_at, {{ beginning_of_time() }}) as window_at,
        coalesce(windows.last_billed_cents, 0) as amount_cents
    from windows
    where {{ round }} = 1

),

measured as (

    select
        windows.window_id,
        windows.period_id,
        windows.window_at,
        windows.amount_cents,
        windows.invoiced_before_cents + levels.amount_cents as invoiced_cents,
        windows.invoiced_before_cents + windows.amount_cents as total_cents,
        windows.amount_cents - levels.amount_cents as new_cents,
        windows.threshold_set_id,
        windows.largest_fixed_cents,
        windows.recurring_cents
    from windows
    inner join levels
        on
            windows.period_id = levels.period_id
            and windows.window_at > levels.window_at
    where windows.amount_cents > levels.amount_cents

),

reached as (

    select
        measured.*,
        row_number() over (partition by measured.period_id order by measured.window_at) as place
    from measured
    where
        case
            when measured.invoiced_cents < measured.largest_fixed_cents
                then
                    exists (
                        select 1
                        from {{ ref('int_thresholds') }} as thresholds
                        where
                            thresholds.threshold_set_id = measured.threshold_set_id
                            and not thresholds.is_recurring
                            and thresholds.amount_cents > measured.invoiced_cents
                            and thresholds.amount_cents <= measured.total_cents
                    )
                    or coalesce(
                        measured.total_cents - measured.largest_fixed_cents >= measured.recurring_cents, false
                    )
            else coalesce(
                measured.new_cents + measured.invoiced_cents % measured.recurring_cents >= measured.recurring_cents,
                false
            )
        end

)

select
    cast({{ round }} as integer) as round_no,
    reached.window_id,
    reached.period_id,
    reached.window_at,
    cast(reached.amount_cents as bigint) as amount_cents,
    cast(reached.invoiced_cents as bigint) as invoiced_cents
from reached
where reached.place = 1
