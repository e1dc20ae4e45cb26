{#
  The versions that price a billed moment, as columns: those of `repriced` (int_repriced_moments, joined from the left)
  where it has the moment, else those that it was billed by.
#}
{% macro priced_by_now(moments, repriced) -%}
{%- for column in priced_by_columns() -%}
case when {{ repriced }}.moment_id is null then {{ moments }}.{{ column }} else {{ repriced }}.{{ column }} end
            as {{ column }}{% if not loop.last %},
        {% endif %}
{%- endfor -%}
{%- endmacro %}

{# Usage, plan fee, commitment, and the row that follows: each has the version that was in force at its own time. #}
{% macro priced_by_columns() -%}
{{ return([
    'plan_code', 'plan_effective_at', 'fee_plan_code', 'fee_plan_effective_at', 'commitment_plan_code',
    'commitment_plan_effective_at', 'next_plan_code', 'next_plan_effective_at',
]) }}
{%- endmacro %}
