{# A number with at least three digits; longer numbers grow. Rule: docs/billing-rules.md, Invoice. #}
{% macro padded_number(number) -%}
    (case
        when {{ number }} < 1000 then lpad(cast({{ number }} as varchar), 3, '0')
        else cast({{ number }} as varchar)
    end)
{%- endmacro %}
