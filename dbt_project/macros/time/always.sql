{# The instants that stand for "always" and "until further notice" in validity columns. #}
{% macro beginning_of_time() -%}cast('0001-01-01 00:00:00' as timestamp){%- endmacro %}

{% macro end_of_time() -%}cast('9999-12-31 00:00:00' as timestamp){%- endmacro %}
