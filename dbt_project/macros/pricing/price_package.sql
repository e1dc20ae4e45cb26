{#
  Package: units above the free ones in whole packages, each begun one billed: exact, in the major unit.
  Rule: docs/billing-rules.md, Prices. `units_rest` is what the units have beyond 12 decimals (see price_units_rest).
#}
{% macro price_package(units, units_rest, free_units, package_size, amount) -%}
    {{ multiply_exact(packages_begun(units, units_rest, free_units, package_size), amount) }}
{%- endmacro %}

{% macro packages_begun(units, units_rest, free_units, package_size) -%}
    cast(greatest({{ divide_ceiling(
        '(' ~ scaled_quantity('(' ~ units ~ ' - ' ~ free_units ~ ')') ~ ' + case when ' ~ units_rest ~ ' > 0 then 1 else 0 end)',
        '(cast(' ~ package_size ~ ' as ' ~ wide_integer() ~ ') * 1000000000000)'
    ) }}, 0) as decimal(38,12))
{%- endmacro %}
