{# The order of invoices at one instant: what is asked for in its order, subscriptions by currency and id. #}
{% macro invoice_order_key(scheduled) -%}
    {{ binary_order(
        "case when " ~ scheduled ~ ".reason in ('one_off', 'wallet_purchase', 'advance_charge', 'regeneration')"
        ~ " then " ~ scheduled ~ ".invoice_group"
        ~ " when " ~ scheduled ~ ".reason = 'start'"
        ~ " then " ~ scheduled ~ ".currency || ' ' || " ~ scheduled ~ ".invoice_group"
        ~ " else " ~ scheduled ~ ".currency || ' ' || " ~ scheduled ~ ".external_subscription_id end"
    ) }}
{%- endmacro %}
