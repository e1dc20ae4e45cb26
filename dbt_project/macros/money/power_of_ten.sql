{# 10 to the power of a whole number from 0 to 37, exact; by text, since the engines' power functions are floating. #}
{% macro power_of_ten(exponent) -%}
    cast(rpad('1', cast({{ exponent }} as integer) + 1, '0') as {{ wide_integer() }})
{%- endmacro %}
