{#
  A row of a model as one text, the same on every engine: `name=value|` for each column that is not null, by name, with
  `|` and the escape escaped. Exact decimals, dates and times have one text form on both engines; a column that a later
  version adds is null in older rows and changes nothing.

  `columns` is a list of names. The audit reads the same form by itself (dagster_project/lib/audit).
#}
{% macro canonical_row(alias, columns) -%}
    {%- for column in columns | sort -%}
        coalesce(
            '{{ column }}=' || replace(replace(cast({{ alias }}.{{ column }} as varchar), '\', '\\'), '|', '\|') || '|', ''
        )
        {%- if not loop.last %} || {% endif %}
    {%- endfor %}
{%- endmacro %}
