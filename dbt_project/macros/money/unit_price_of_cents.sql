{#
  A whole number of minor units as a price in the currency's major unit: decimal(21,12). Null when it has more than the
  nine digits before the point that a price has.
#}
{% macro unit_price_of_cents(amount_cents, exponent) -%}
    (case {{ exponent }}
        {%- for digits in [0, 2, 3, 4] %}
        when {{ digits }} then case
            when abs({{ amount_cents }}) < {{ 10 ** (9 + digits) }}
                then cast(
                    cast({{ amount_cents }} as decimal(15,0)) * cast({{ '1' if digits == 0 else '0.' ~ '0' * (digits - 1) ~ '1' }} as decimal(6,4))
                    as decimal(21,12)
                )
        end
        {%- endfor %}
    end)
{%- endmacro %}
