{#
  The item that a unique count counts, by the property's text: never null. A missing property is one item of its own,
  and another one than an empty text (semantics/rating.md section 2, "Values").
#}
{% macro counted_item(text) -%}
    coalesce('=' || {{ text }}, '')
{%- endmacro %}
