{# The invoice of every open moment; what a void bills anew has one of its own, dated like the one that was voided. #}
{%- set columns = [
    'moment_id', 'moment_state', 'invoice_id', 'organization_id', 'external_customer_id', 'external_subscription_id',
    'close_id', 'as_of', 'known_batch_id', 'invoice_type', 'reason', 'instant_rank', 'invoice_group', 'billing_at',
    'finalizes_at', 'issuing_date', 'payment_due_date', 'net_payment_term', 'purchase_order_number', 'currency',
    'currency_exponent',
] -%}
{% for source in [ref('int_invoices_dated'), ref('int_regenerated_moments')] -%}
    select
        {% for column in columns %}
            scheduled.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
    from {{ source }} as scheduled
    {% if not loop.last %}

        union all
    {% endif %}
{%- endfor %}
