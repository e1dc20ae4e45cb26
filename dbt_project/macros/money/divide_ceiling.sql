{# numerator / denominator rounded up (towards plus infinity); both integers, denominator > 0. #}
{% macro divide_ceiling(numerator, denominator) -%}
    ({{ divide_integers(numerator, denominator) }}
        + case
            when {{ numerator }} > 0
                and cast({{ numerator }} as {{ wide_integer() }}) % cast({{ denominator }} as {{ wide_integer() }}) <> 0
                then 1
            else 0
        end)
{%- endmacro %}
