{#
  An exact amount in minor units (decimal with at most 12 digits after the point) in the major unit: decimal(38,24).
  `exponent` is the currency's number of decimals: 0, 2, 3 or 4. Null when it has more than 13 digits before the point,
  as in fits_money.
#}
{% macro major_units(amount_cents, exponent) -%}
    (case {{ exponent }}
        {%- for digits in [0, 2, 3, 4] %}
        when {{ digits }} then case
            when abs({{ amount_cents }}) <= {{ 10 ** (13 + digits) }}
                then cast(
                    cast({{ amount_cents }} as decimal(33,12)) * {{ '1' if digits == 0 else '0.' ~ '0' * (digits - 1) ~ '1' }}
                    as decimal(38,24)
                )
        end
        {%- endfor %}
    end)
{%- endmacro %}
