{#
  What is known of a record table to the close that is running: the newest version of each record that was landed in a
  batch up to the close's known_batch_id, for the organisations in its scope.
#}
{% macro known_records(table, key) -%}
    select {{ table }}.*
    from {{ source('raw', table) }} as {{ table }}
    inner join (
        {{ _newest_batches(table, key) }}
    ) as newest
        on {{ table }}.organization_id = newest.organization_id
        {%- for column in key %}
        and {{ table }}.{{ column }} = newest.{{ column }}
        {%- endfor %}
        and {{ table }}.batch_id = newest.batch_id
{%- endmacro %}

{# The rows of a child table that belong to the newest known version of their parent. #}
{% macro known_children(table, parent, parent_key) -%}
    select {{ table }}.*
    from {{ source('raw', table) }} as {{ table }}
    inner join (
        {{ _newest_batches(parent, parent_key) }}
    ) as newest
        on {{ table }}.organization_id = newest.organization_id
        {%- for column in parent_key %}
        and {{ table }}.{{ column }} = newest.{{ column }}
        {%- endfor %}
        and {{ table }}.batch_id = newest.batch_id
{%- endmacro %}

{% macro _newest_batches(table, key) -%}
    select
            versions.organization_id,
            {%- for column in key %}
            versions.{{ column }},
            {%- endfor %}
            max(versions.batch_id) as batch_id
        from {{ source('raw', table) }} as versions
        inner join {{ source('raw', 'close_scope') }} as close_scope
            on versions.organization_id = close_scope.organization_id
        where versions.batch_id <= close_scope.known_batch_id
        group by versions.organization_id
            {%- for column in key %}, versions.{{ column }}{% endfor %}
{%- endmacro %}
