{#
  An exact amount in the major unit of what the charge is priced in: of the currency as it is, of a custom pricing unit
  rounded to that unit's decimals and times its conversion rate. Rule: semantics/rating.md section 12.
#}
{% macro converted_amount(amount, pricing_unit_code, pricing_unit_exponent, conversion_rate) -%}
    (case
        when {{ pricing_unit_code }} is null then {{ amount }}
        else {{ multiply_exact(
            'cast(case ' ~ pricing_unit_exponent
            ~ ' when 0 then round(' ~ amount ~ ', 0) when 1 then round(' ~ amount ~ ', 1) when 2 then round(' ~ amount
            ~ ', 2) when 3 then round(' ~ amount ~ ', 3) when 4 then round(' ~ amount ~ ', 4) when 5 then round(' ~ amount
            ~ ', 5) when 6 then round(' ~ amount ~ ', 6) when 7 then round(' ~ amount ~ ', 7) when 8 then round(' ~ amount
            ~ ', 8) else round(' ~ amount ~ ', 12) end as decimal(38,12))',
            conversion_rate
        ) }}
    end)
{%- endmacro %}
