{#
  The states of a billing moment whose usage no close has finalised and that is metered: due, draft, running, and skipped (of
  an end without a closing invoice). Events that it counts have its state as their fate.
#}
{% macro open_states() -%}
    ('due', 'draft', 'running', 'skipped')
{%- endmacro %}
