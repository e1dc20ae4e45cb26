{#
  Rows of the book that point at an invoice (credit notes, payments) with the invoice they mean; voids, which may bring
  invoices of their own, come before (int_invoice_voids).
#}
{%- set pointing = [
    ('credit_note', 'credit_notes', 'credit_note_code', 'created_at'),
    ('payment', 'payments', 'payment_id', 'created_at'),
] -%}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

finalized as (

    select * from {{ ref('stg_ledger__invoices') }}

),

open_invoices as (

    select * from {{ ref('int_invoices_ordered') }}
    where invoice_state <> 'running'

),

invoices as (

    select
        finalized.invoice_id,
        finalized.organization_id,
        finalized.external_customer_id,
        finalized.invoice_type,
        finalized.issuing_date,
        finalized.billing_at,
        finalized.finalized_at as finalizes_at,
        finalized.instant_rank,
        finalized.order_key,
        finalized.currency,
        true as is_in_ledger
    from finalized

    union all

    select
        open_invoices.invoice_id,
        open_invoices.organization_id,
        open_invoices.external_customer_id,
        open_invoices.invoice_type,
        open_invoices.issuing_date,
        open_invoices.billing_at,
        open_invoices.finalizes_at,
        open_invoices.instant_rank,
        open_invoices.order_key,
        open_invoices.currency,
        false as is_in_ledger
    from open_invoices

),

subscriptions as (

    select distinct
        moments.organization_id,
        moments.external_subscription_id,
        moments.invoice_id
    from {{ ref('stg_ledger__moments') }} as moments

    union

    select distinct
        scheduled.organization_id,
        scheduled.external_subscription_id,
        scheduled.invoice_id
    from {{ ref('int_invoices_scheduled') }} as scheduled
    where scheduled.moment_state <> 'running'

),

pointers as (

    {% for reference_type, table, key, instant in pointing -%}
        select
            {{ table }}.organization_id,
            '{{ reference_type }}' as reference_type,
            {{ table }}.{{ key }} as reference_id,
            {{ table }}.{{ instant }} as referred_at,
            {{ table }}.match_external_subscription_id,
            coalesce(payers.payer_external_customer_id, {{ table }}.match_external_customer_id)
                as match_external_customer_id,
            {{ table }}.match_issuing_date,
            {{ table }}.match_invoice_type,
            coalesce({{ table }}.match_nth, 1) as match_nth
        from {{ ref('stg_book__' ~ table) }} as {{ table }}
        inner join close_scope
            on
                {{ table }}.organization_id = close_scope.organization_id
                and {{ table }}.{{ instant }} <= close_scope.as_of
        left join {{ ref('int_customers_resolved') }} as payers
            on
                {{ table }}.organization_id = payers.organization_id
                and {{ table }}.match_external_customer_id = payers.external_customer_id
        {% if not loop.last %}
            union all

        {% endif -%}
    {%- endfor %}

),

chosen as (

    {{ matched_invoices('pointers', 'invoices', 'subscriptions') | indent(4) }}

)

select
    pointers.organization_id,
    pointers.reference_type,
    pointers.reference_id,
    pointers.referred_at,
    pointers.match_external_subscription_id,
    chosen.invoice_id,
    chosen.external_customer_id,
    chosen.currency,
    chosen.finalizes_at,
    chosen.is_in_ledger
from pointers
left join chosen
    on
        pointers.organization_id = chosen.organization_id
        and pointers.reference_type = chosen.reference_type
        and pointers.reference_id = chosen.reference_id
