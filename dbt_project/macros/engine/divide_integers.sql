{#
  Quotient of two integers cut towards zero, exact up to 38 digits. Not for money by itself: see macros/money.
#}
{% macro divide_integers(numerator, denominator) -%}
    {{ return(adapter.dispatch('divide_integers', 'meterhouse')(numerator, denominator)) }}
{%- endmacro %}

{% macro default__divide_integers(numerator, denominator) -%}
    div(cast({{ numerator }} as numeric), cast({{ denominator }} as numeric))
{%- endmacro %}

{% macro duckdb__divide_integers(numerator, denominator) -%}
    (cast({{ numerator }} as hugeint) // cast({{ denominator }} as hugeint))
{%- endmacro %}
