{# The invoices of purchases of credits, by the transaction that asks for them: of earlier closes and of this one. #}
{% macro wallet_purchase_invoices() -%}
    select
        ledger_moments.organization_id,
        ledger_moments.request_id,
        ledger_moments.invoice_id
    from {{ ref('stg_ledger__moments') }} as ledger_moments
    where ledger_moments.reason = 'wallet_purchase'

    union all

    select
        one_offs.organization_id,
        one_offs.request_id,
        scheduled.invoice_id
    from {{ ref('int_one_off_moments') }} as one_offs
    inner join {{ ref('int_invoices_scheduled') }} as scheduled
        on one_offs.moment_id = scheduled.moment_id
    where one_offs.reason = 'wallet_purchase' and one_offs.moment_state <> 'finalized'
{%- endmacro %}
