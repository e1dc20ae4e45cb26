{# The whole seconds from one timestamp to a later one, fractions cut. #}
{% macro seconds_between(from_at, to_at) -%}
    {{ divide_integers(microseconds_between(from_at, to_at), 1000000) }}
{%- endmacro %}
