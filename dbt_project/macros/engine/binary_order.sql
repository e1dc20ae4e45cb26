{# A text for ordering, compared byte by byte whatever the database's collation. #}
{% macro binary_order(text) -%}{{ return(adapter.dispatch('binary_order', 'meterhouse')(text)) }}{%- endmacro %}

{% macro default__binary_order(text) -%}({{ text }}) collate "C"{%- endmacro %}

{% macro duckdb__binary_order(text) -%}({{ text }}){%- endmacro %}
