{# The voids of earlier closes and those of this one that can be. #}
{% macro invoice_voids_known() -%}
    select
        recorded.invoice_id,
        recorded.voided_at,
        recorded.regenerated_invoice_id
    from {{ ref('stg_ledger__invoice_voids') }} as recorded

    union all

    select
        open_voids.invoice_id,
        open_voids.voided_at,
        open_voids.regenerated_invoice_id
    from {{ ref('int_invoice_voids') }} as open_voids
    where open_voids.refusal is null
{%- endmacro %}
