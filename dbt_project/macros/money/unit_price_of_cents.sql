{# A whole number of minor units as a price in the currency's major unit: decimal(21,12). #}
{% macro unit_price_of_cents(amount_cents, exponent) -%}
    (case {{ exponent }}
        {%- for digits in [0, 2, 3, 4] %}
        when {{ digits }} then cast(
            cast({{ amount_cents }} as decimal(15,0)) * cast({{ '1' if digits == 0 else '0.' ~ '0' * (digits - 1) ~ '1' }} as decimal(6,4))
            as decimal(21,12)
        )
        {%- endfor %}
    end)
{%- endmacro %}
