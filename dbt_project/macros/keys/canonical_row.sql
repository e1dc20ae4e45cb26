{#
  A row of a model as one text, the same on every engine: `name=value|` for each column that is not null, by name, with
  `|` and the escape escaped. Exact decimals, dates and times have one text form on both engines; a column that a later
  version adds is null in older rows and changes nothing.

  `columns` are the types by name: only a text can hold what is escaped. `concat` leaves out what is null. The audit reads
  the same form by itself (dagster_project/lib/audit).
#}
{% macro canonical_row(alias, columns) -%}
    concat(
        {%- for column in columns | sort %}
            {%- set value = alias ~ '.' ~ column %}
        '{{ column }}=' ||
            {%- if columns[column] == 'varchar' %} replace(replace({{ value }}, '\', '\\'), '|', '\|')
            {%- else %} cast({{ value }} as varchar)
            {%- endif %} || '|'
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    )
{%- endmacro %}
