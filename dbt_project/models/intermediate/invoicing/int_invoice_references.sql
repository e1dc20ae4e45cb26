{#
  Rows of the book that point at an invoice (credit notes, payments, voids) with the invoice they mean: the nth, in order
  of creation, of those of the subscription or customer that match.
#}
{%- set pointing = [
    ('credit_note', 'credit_notes', 'credit_note_code', 'created_at'),
    ('payment', 'payments', 'payment_id', 'created_at'),
    ('invoice_void', 'invoice_voids', 'invoice_void_id', 'voided_at'),
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
            {{ table }}.match_external_customer_id,
            {{ table }}.match_issuing_date,
            {{ table }}.match_invoice_type,
            coalesce({{ table }}.match_nth, 1) as match_nth
        from {{ ref('stg_book__' ~ table) }} as {{ table }}
        inner join close_scope
            on
                {{ table }}.organization_id = close_scope.organization_id
                and {{ table }}.{{ instant }} <= close_scope.as_of
        {% if not loop.last %}
            union all

        {% endif -%}
    {%- endfor %}

),

{# by the subscription that is named, else by the customer #}
found as (

    select
        pointers.organization_id,
        pointers.reference_type,
        pointers.reference_id,
        pointers.match_external_customer_id,
        pointers.match_issuing_date,
        pointers.match_invoice_type,
        pointers.match_nth,
        subscriptions.invoice_id
    from pointers
    inner join subscriptions
        on
            pointers.organization_id = subscriptions.organization_id
            and pointers.match_external_subscription_id = subscriptions.external_subscription_id

    union all

    select
        pointers.organization_id,
        pointers.reference_type,
        pointers.reference_id,
        pointers.match_external_customer_id,
        pointers.match_issuing_date,
        pointers.match_invoice_type,
        pointers.match_nth,
        invoices.invoice_id
    from pointers
    inner join invoices
        on
            pointers.organization_id = invoices.organization_id
            and pointers.match_external_customer_id = invoices.external_customer_id
    where pointers.match_external_subscription_id is null

),

numbered as (

    select
        found.organization_id,
        found.reference_type,
        found.reference_id,
        found.match_nth,
        invoices.invoice_id,
        invoices.external_customer_id,
        invoices.currency,
        invoices.finalizes_at,
        invoices.is_in_ledger,
        row_number() over (
            partition by found.organization_id, found.reference_type, found.reference_id
            order by
                invoices.billing_at, invoices.instant_rank, {{ binary_order('invoices.order_key') }},
                invoices.invoice_id
        ) as nth
    from found
    inner join invoices
        on found.invoice_id = invoices.invoice_id
    where
        (found.match_external_customer_id is null or found.match_external_customer_id = invoices.external_customer_id)
        and (found.match_issuing_date is null or found.match_issuing_date = invoices.issuing_date)
        and (found.match_invoice_type is null or found.match_invoice_type = invoices.invoice_type)

),

chosen as (

    select * from numbered
    where numbered.nth = numbered.match_nth

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
