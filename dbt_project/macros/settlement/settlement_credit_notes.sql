{#
  Stage 2: the oldest credit note with a balance ("Credit notes" in docs/billing-
  rules.md). Reads `fees_taxed`, `invoices_taxed` and `balances`.

    note_candidates  one row per invoice and note that it could use, the oldest first
    fees_noted       one row per fee, with its share of the first of them (10^-5 cents)
    invoices_noted   one row per invoice: what the note took, what is left, and whether more notes wait
#}
{% macro settlement_credit_notes() -%}
note_candidates as (

    select
        invoices.invoice_id,
        invoices.due_cents,
        balances.source_id,
        balances.source_order,
        least(balances.balance_cents, invoices.due_cents) as credit_cents,
        count(*) over (partition by invoices.invoice_id) as candidates_count,
        row_number() over (partition by invoices.invoice_id order by balances.source_order) as place
    from invoices_taxed as invoices
    inner join balances
        on
            invoices.chain_id = balances.chain_id
            and invoices.step_no = balances.step_no
            and balances.source_type = 'credit_note'
            and balances.currency = invoices.currency
            and balances.source_order > invoices.last_note_order
            and balances.origin_invoice_id <> invoices.invoice_id
    where
        invoices.stage < 3
        and not invoices.has_more_coupons
        and invoices.is_discountable
        and invoices.due_cents > 0
        and balances.balance_cents > 0

),

fees_noted as (

    select
        fees.*,
        case
            when notes.invoice_id is null then fees.credit_note_share_e5
            else fees.credit_note_share_e5 + {{ multiply_divide(
                'greatest(fees.sub_e5 + ' ~ cents_to_e5('fees.taxes_amount_cents') ~ ' - fees.credit_note_share_e5, 0)',
                'notes.credit_cents', 'notes.due_cents'
            ) }}
        end as noted_share_e5
    from fees_taxed as fees
    left join note_candidates as notes
        on
            fees.invoice_id = notes.invoice_id
            and notes.place = 1

),

invoices_noted as (

    select
        invoices.*,
        notes.source_id as note_id,
        notes.source_order as note_order,
        coalesce(notes.credit_cents, 0) as note_cents,
        invoices.due_cents - coalesce(notes.credit_cents, 0) as rest_cents,
        coalesce(notes.candidates_count > 1, false) and invoices.due_cents > coalesce(notes.credit_cents, 0)
            as has_more_notes
    from invoices_taxed as invoices
    left join note_candidates as notes
        on
            invoices.invoice_id = notes.invoice_id
            and notes.place = 1

)
{%- endmacro %}
