{#
  Whether a period of a calendar (`periods`: int_periods_by_year) is the one in which a local day lies, by the calendar of
  a row: its timezone history, its anchor and an interval. The year of the day lets engines join by equal values.
#}
{% macro is_period_of_day(periods, row, interval, day) -%}
    {{ row }}.timezone_history = {{ periods }}.timezone_history
    and {{ interval }} = {{ periods }}.plan_interval
    and {{ row }}.anchor_month = {{ periods }}.anchor_month
    and {{ row }}.anchor_day = {{ periods }}.anchor_day
    and {{ row }}.anchor_weekday = {{ periods }}.anchor_weekday
    and cast(extract(year from {{ day }}) as integer) = {{ periods }}.touched_year
    and {{ day }} >= {{ periods }}.from_date
    and {{ day }} <= {{ periods }}.to_date
{%- endmacro %}
