{#
  Whether a version of a plan or a metric landed with other prices than when it landed before (`landings_before` is that
  window), or for the first time. A record of an older version of the project has no price_hash.
#}
{% macro is_repriced(versions) -%}
    {%- set price_hash = 'coalesce(' ~ versions ~ '.price_hash, ' ~ versions ~ '.record_hash)' -%}
    {{ price_hash }} is distinct from lag({{ price_hash }}) over landings_before
{%- endmacro %}
