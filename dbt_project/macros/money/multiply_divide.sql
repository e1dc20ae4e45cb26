{#
  a x b / c for whole numbers >= 0 (c > 0), rounded to the nearest whole number, halves away from zero, or cut when
  `cut` is true: what a share of a balance is made of. The product is never formed: b is split at ten digits, so that
  a and c may have 27 digits and b 20. Null when one of them is null.
#}
{% macro multiply_divide(a, b, c, cut=false) -%}
    {%- set wide = wide_integer() -%}
    {%- set high = divide_integers(b, '10000000000') -%}
    {%- set low = "(cast(" ~ b ~ " as " ~ wide ~ ") % 10000000000)" -%}
    {%- set high_product = "(cast(" ~ a ~ " as " ~ wide ~ ") * " ~ high ~ ")" -%}
    {%- set rest = "(" ~ high_product ~ " % cast(" ~ c ~ " as " ~ wide ~ ") * 10000000000 + cast("
        ~ a ~ " as " ~ wide ~ ") * " ~ low ~ ")" -%}
    ({{ divide_integers(high_product, c) }} * 10000000000
        + {% if cut %}{{ divide_integers(rest, c) }}{% else %}{{ divide_half_away(rest, c) }}{% endif %})
{%- endmacro %}
