{#
  The item that a unique count counts, by the property's text: never null. A missing property is one item of its own,
  and another one than an empty text (docs/billing-rules.md, Usage).
#}
{% macro counted_item(text) -%}
    coalesce('=' || {{ text }}, '')
{%- endmacro %}
