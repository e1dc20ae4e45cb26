{# The order of an invoice's lines: by subscription, period, the plan's own order of its charges and filters, then group. #}
{% macro invoice_line_order(fees) -%}
    {{ binary_order(fees ~ '.external_subscription_id') }},
                {{ fees }}.from_date,
                {{ fees }}.fee_position,
                {{ fees }}.filter_position,
                {{ binary_order(fees ~ '.fee_type') }},
                {{ binary_order(fees ~ '.fee_code') }},
                {{ binary_order(fees ~ '.group_values') }},
                {{ fees }}.fee_id
{%- endmacro %}
