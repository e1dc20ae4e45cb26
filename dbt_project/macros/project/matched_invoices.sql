{#
  Which invoice a row of the book means: the nth, in order of creation, of those of the subscription that it names, else of
  the customer, that match its date and type. `pointers`, `invoices` and `subscriptions` are relations or CTEs; a pointer that
  matches nothing gives no row.
#}
{% macro matched_invoices(pointers, invoices, subscriptions) -%}
    select numbered.*
    from (
        select
            found.organization_id,
            found.reference_type,
            found.reference_id,
            found.match_nth,
            invoices.invoice_id,
            invoices.external_customer_id,
            invoices.invoice_type,
            invoices.currency,
            invoices.finalizes_at,
            invoices.is_in_ledger,
            row_number() over (
                partition by found.organization_id, found.reference_type, found.reference_id
                order by
                    invoices.billing_at, invoices.instant_rank, {{ binary_order('invoices.order_key') }},
                    invoices.invoice_id
            ) as nth
        from (
            select
                pointers.organization_id,
                pointers.reference_type,
                pointers.reference_id,
                pointers.match_external_customer_id,
                pointers.match_issuing_date,
                pointers.match_invoice_type,
                pointers.match_nth,
                subscriptions.invoice_id
            from {{ pointers }} as pointers
            inner join {{ subscriptions }} as subscriptions
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
            from {{ pointers }} as pointers
            inner join {{ invoices }} as invoices
                on
                    pointers.organization_id = invoices.organization_id
                    and pointers.match_external_customer_id = invoices.external_customer_id
            where pointers.match_external_subscription_id is null
        ) as found
        inner join {{ invoices }} as invoices
            on found.invoice_id = invoices.invoice_id
        where
            (found.match_external_customer_id is null or found.match_external_customer_id = invoices.external_customer_id)
            and (found.match_issuing_date is null or found.match_issuing_date = invoices.issuing_date)
            and (found.match_invoice_type is null or found.match_invoice_type = invoices.invoice_type)
    ) as numbered
    where numbered.nth = numbered.match_nth
{%- endmacro %}
