{# The widest exact integer of the engine: at least 38 digits. #}
{% macro wide_integer() -%}{{ return(adapter.dispatch('wide_integer', 'meterhouse')()) }}{%- endmacro %}

{% macro default__wide_integer() -%}numeric(38,0){%- endmacro %}

{# decimal(38,0) would also do, but DuckDB divides decimals as doubles and hugeint exactly. #}
{% macro duckdb__wide_integer() -%}hugeint{%- endmacro %}
