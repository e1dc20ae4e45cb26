{#
  What an event changes of a level: its quantity; of a unique count +1, -1 or 0 by the operation of the same item's event
  before it (`was_remove`, null when there is none). Rule: docs/billing-rules.md, Usage.
#}
{% macro level_step(event, was_remove) -%}
    case
        when {{ event }}.aggregation_type <> 'unique_count_agg' then {{ event }}.quantity
        when {{ event }}.is_remove = coalesce({{ was_remove }}, true) then cast(0 as decimal(27, 12))
        when {{ event }}.is_remove then cast(-1 as decimal(27, 12))
        else cast(1 as decimal(27, 12))
    end
{%- endmacro %}
