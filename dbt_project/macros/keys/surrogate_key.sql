{#
  A text key from the columns of a grain: md5 over the values as text, separated so that no two tuples collide
  (the separator and the escape are escaped inside values; null differs from the empty text).
#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(replace(replace(cast({{ column }} as varchar), '\', '\\'), '|', '\|'), '\0')
        {%- if not loop.last %} || '|' ||{% endif %}
        {%- endfor %}
    )
{%- endmacro %}
