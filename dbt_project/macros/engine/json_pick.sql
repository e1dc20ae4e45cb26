{#
  The texts of several members of a JSON object as one JSON array without blanks, as landing writes it, in the order of
  `paths` (a list column of what json_path gave); a member that is missing or null gives null. Property names are values,
  never part of the SQL text.
#}
{% macro json_pick(object, paths) -%}
    {{ return(adapter.dispatch('json_pick', 'meterhouse')(object, paths)) }}
{%- endmacro %}

{% macro default__json_pick(object, paths) -%}
    (
        select
            '[' || string_agg(
                coalesce({{ json_string('parsed.object ->> names.name') }}, 'null'), ',' order by names.position
            ) || ']'
        from (select cast({{ object }} as json) as object) as parsed
        cross join unnest({{ paths }}) with ordinality as names (name, position)
    )
{%- endmacro %}

{% macro duckdb__json_pick(object, paths) -%}
    cast(to_json(list_transform({{ paths }}, lambda path: {{ json_at(object, 'path') }})) as varchar)
{%- endmacro %}

{# The text of one element (from 1) of a JSON array that json_pick made. #}
{% macro json_element(array, position) -%}
    {{ return(adapter.dispatch('json_element', 'meterhouse')(array, position)) }}
{%- endmacro %}

{% macro default__json_element(array, position) -%}
    (cast({{ array }} as json) ->> cast({{ position }} - 1 as integer))
{%- endmacro %}

{% macro duckdb__json_element(array, position) -%}
    json_extract_string({{ array }}, '/' || cast({{ position }} - 1 as varchar))
{%- endmacro %}
