{#
  A house schema (raw, ledger, marts, …) has its bare name in a warehouse's default schema and is prefixed elsewhere,
  so that `verify` can work in schemas of its own. The same rule stands in dagster_project/lib/warehouse (split_schema).
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.schema in ('main', 'public') -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
