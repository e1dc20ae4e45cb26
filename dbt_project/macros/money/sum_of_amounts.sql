{#
  The sum of exact amounts in the major unit, cut to 24 decimals: decimal(38,24). Null when one is null or the sum does
  not fit (see fits_money). Whole units and fractions are added up apart, so that no number of amounts overflows.
#}
{% macro sum_of_amounts(amount) -%}
    (case
        when count(*) = count({{ amount }}) and {{ fits_money('sum(floor(' ~ amount ~ '))', '1') }}
            then cast(sum(floor({{ amount }})) as decimal(38,24)) + {{ cut_amount('sum(' ~ amount ~ ' - floor(' ~ amount ~ '))') }}
    end)
{%- endmacro %}
