{# Everything that can put fees on an invoice: what is billed for the first time, and what a void bills anew. #}
{%- set columns = [
    'moment_id', 'moment_state', 'invoice_type', 'reason', 'organization_id', 'external_customer_id',
    'external_subscription_id', 'plan_code', 'plan_effective_at', 'base_plan_code', 'subscription_name',
    'purchase_order_number', 'billing_at', 'finalizes_at', 'billing_date', 'invoice_group', 'has_grace', 'currency',
    'close_id', 'as_of', 'known_batch_id', 'instant_rank',
] -%}
{% for source in [ref('int_moments_to_invoice'), ref('int_regenerated_moments')] -%}
    select
        {% for column in columns %}
            moments.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
    from {{ source }} as moments
    {% if not loop.last %}

        union all
    {% endif %}
{%- endfor %}
