{#
  Arithmetic on whole numbers of 10^-12 ("fixed" numbers: what a quantity is with its point taken away), for values with
  at most 20 digits before the point. Arguments are columns. The result may be a digit longer; `fits_fixed` tells.
  From a quantity and back: scaled_quantity, quantity_of_scaled.
#}
{% macro fixed_one() -%}1000000000000{%- endmacro %}

{# Whether a fixed number has at most 20 digits before the point. #}
{% macro fits_fixed(number) -%}
    (abs({{ number }}) < {{ power_of_ten(32) }})
{%- endmacro %}

{#
  The product, rounded half away from zero to 12 decimals; null when it has more than 20 digits before the point. Whole
  parts and fractions are multiplied apart, so that nothing on the way has more than 38 digits.
#}
{% macro multiply_fixed(a, b) -%}
    {%- set whole_a = divide_integers("abs(" ~ a ~ ")", fixed_one()) -%}
    {%- set whole_b = divide_integers("abs(" ~ b ~ ")", fixed_one()) -%}
    {%- set part_a = "(abs(" ~ a ~ ") % " ~ fixed_one() ~ ")" -%}
    {%- set part_b = "(abs(" ~ b ~ ") % " ~ fixed_one() ~ ")" -%}
    (case
        when {{ whole_a }} <= {{ divide_integers(power_of_ten(20), "greatest(" ~ whole_b ~ ", 1)") }} then
            case when ({{ a }} < 0) <> ({{ b }} < 0) then -1 else 1 end
            * (
                {{ whole_a }} * {{ whole_b }} * {{ fixed_one() }} + {{ whole_a }} * {{ part_b }}
                + {{ part_a }} * {{ whole_b }} + {{ divide_half_away(part_a ~ " * " ~ part_b, fixed_one()) }}
            )
    end)
{%- endmacro %}

{#
  The quotient, rounded half away from zero to 12 decimals; null when the divisor is 0 or the quotient has more than 20
  digits before the point. A long division in steps of 6 decimals, so that nothing on the way has more than 38 digits.
#}
{% macro divide_fixed(a, b) -%}
    {%- set divisor = "abs(" ~ b ~ ")" -%}
    {%- set first = "(abs(" ~ a ~ ") % " ~ divisor ~ ") * 1000000" -%}
    {%- set second = "(" ~ first ~ ") % " ~ divisor ~ " * 1000000" -%}
    {%- set rest = "((" ~ second ~ ") % " ~ divisor ~ ")" -%}
    (case
        when {{ b }} = 0 then null
        when {{ divide_integers("abs(" ~ a ~ ")", divisor) }} < {{ power_of_ten(20) }} then
            case when ({{ a }} < 0) <> ({{ b }} < 0) then -1 else 1 end
            * (
                {{ divide_integers("abs(" ~ a ~ ")", divisor) }} * {{ fixed_one() }}
                + {{ divide_integers(first, divisor) }} * 1000000
                + {{ divide_integers(second, divisor) }}
                + case when {{ rest }} >= {{ divisor }} - {{ rest }} then 1 else 0 end
            )
    end)
{%- endmacro %}
