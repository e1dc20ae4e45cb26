{#
  Whether any event was ever corrected: asked of the warehouse before the model runs, so that the scan of the events stays
  as it is where nothing was.
#}
{% macro has_corrections() -%}
    {%- set corrections = api.Relation.create(
        database=target.database, schema=generate_schema_name('raw', none), identifier='event_corrections'
    ) -%}
    {%- if not execute or not load_relation(corrections) -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query('select 1 as found from ' ~ corrections ~ ' limit 1').rows | length > 0) }}
{%- endmacro %}
