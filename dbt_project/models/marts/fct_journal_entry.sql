{{ config(materialized='incremental') }}

{#
  The double entry of every document and wallet movement: each line debits or credits one account, and the lines of one
  document add up to nothing. Zero lines are left out.
#}
{%- set documents = [
    ('invoice', 'invoices', 'invoice_id', 'finalized_at', [
        ('receivables', 'invoices.total_amount_cents'),
        ('coupons', 'invoices.coupons_amount_cents'),
        ('progressive_billing', 'invoices.progressive_billing_credit_amount_cents'),
        ('credit_notes_payable', 'invoices.credit_notes_amount_cents'),
        ('prepaid_credits', 'invoices.prepaid_credit_amount_cents'),
        ('taxes_payable', '-invoices.taxes_amount_cents'),
        ('revenue', "case when invoices.invoice_type = 'credit' then 0 else -invoices.fees_amount_cents end"),
        ('prepaid_credits', "case when invoices.invoice_type = 'credit' then -invoices.fees_amount_cents else 0 end"),
    ]),
    ('standalone_fee', 'standalone_fees', 'fee_id', 'made_at', [
        ('receivables', 'standalone_fees.total_amount_cents'),
        ('taxes_payable', '-standalone_fees.taxes_amount_cents'),
        ('revenue', '-standalone_fees.amount_cents'),
    ]),
    ('invoice_void', 'voids', 'invoice_id', 'voided_at', [
        ('receivables', '-voids.total_amount_cents'),
        ('coupons', '-voids.coupons_amount_cents'),
        ('progressive_billing', '-voids.progressive_billing_credit_amount_cents'),
        ('breakage', '-voids.kept_amount_cents'),
        ('prepaid_credits', '-voids.recredited_amount_cents'),
        ('taxes_payable', 'voids.taxes_amount_cents'),
        ('revenue', "case when voids.invoice_type = 'credit' then 0 else voids.fees_amount_cents end"),
        ('prepaid_credits', "case when voids.invoice_type = 'credit' then voids.fees_amount_cents else 0 end"),
    ]),
    ('credit_note', 'notes', 'credit_note_id', 'issued_at', [
        ("case when notes.is_purchase then 'prepaid_credits' else 'revenue' end",
            'notes.total_amount_cents - notes.taxes_amount_cents'),
        ('taxes_payable', 'notes.taxes_amount_cents'),
        ('credit_notes_payable', '-notes.credit_amount_cents'),
        ('refunds_payable', '-notes.refund_amount_cents'),
        ('receivables', '-notes.offset_amount_cents'),
    ]),
    ('wallet_transaction', 'moves', 'wallet_move_id', 'moved_at', [
        ('prepaid_credits', '-moves.amount_cents'),
        ("case when moves.move_kind in ('granted', 'voided') then 'promotional_credits' else 'breakage' end",
            'moves.amount_cents'),
    ]),
] -%}
with

invoices as (

    {# what an advance_charges invoice regroups was booked fee by fee #}
    select * from {{ ref('fct_invoice') }}
    where invoice_type <> 'advance_charges'

),

standalone_fees as (

    select * from {{ ref('fct_standalone_fee') }}

),

notes as (

    select
        notes.*,
        invoices.invoice_type = 'credit' as is_purchase
    from {{ ref('fct_credit_note') }} as notes
    inner join invoices
        on notes.invoice_id = invoices.invoice_id

),

recredits as (

    select
        moves.invoice_id,
        cast(sum(moves.amount_cents) as bigint) as amount_cents
    from {{ ref('fct_wallet_transaction') }} as moves
    where moves.move_kind = 'recredited'
    group by moves.invoice_id

),

{# what a voided invoice took of credit notes, and of wallets that have ended, is not given back #}
voids as (

    select
        invoices.invoice_id,
        invoices.organization_id,
        invoices.external_customer_id,
        invoices.invoice_type,
        invoices.voided_at,
        invoices.currency,
        invoices.fees_amount_cents,
        invoices.progressive_billing_credit_amount_cents,
        invoices.coupons_amount_cents,
        invoices.taxes_amount_cents,
        invoices.total_amount_cents,
        invoices.credit_notes_amount_cents + invoices.prepaid_credit_amount_cents
        - coalesce(recredits.amount_cents, 0) as kept_amount_cents,
        coalesce(recredits.amount_cents, 0) as recredited_amount_cents,
        ledger_voids.close_id
    from invoices
    inner join {{ ref('ledger_invoice_voids') }} as ledger_voids
        on invoices.invoice_id = ledger_voids.invoice_id
    left join recredits
        on invoices.invoice_id = recredits.invoice_id
    where invoices.invoice_status = 'voided'

),

{# what is bought, consumed or given back is booked with its invoice #}
moves as (

    select * from {{ ref('fct_wallet_transaction') }}
    where move_kind in ('granted', 'voided', 'expired', 'terminated')

),

lines as (

    {% for document_type, relation, key, instant, accounts in documents -%}
        {% set outer_loop = loop -%}
        {% for account, amount in accounts -%}
            select
                '{{ document_type }}' as document_type,
                {{ relation }}.{{ key }} as document_id,
                {{ loop.index }} as line_number,
                {{ relation }}.organization_id,
                {{ relation }}.external_customer_id,
                {{ relation }}.{{ instant }} as booked_at,
                {% if 'case' in account %}{{ account }}{% else %}'{{ account }}'{% endif %} as account,
                {{ relation }}.currency,
                {{ amount }} as amount_cents,
                {{ relation }}.close_id
            from {{ relation }}
            {% if not (loop.last and outer_loop.last) %}
                union all

            {% endif -%}
        {%- endfor %}
    {%- endfor %}

)

select
    lines.document_type,
    lines.document_id,
    cast(lines.line_number as integer) as line_number,
    lines.organization_id,
    lines.external_customer_id,
    lines.booked_at,
    lines.account,
    lines.currency,
    cast(greatest(lines.amount_cents, 0) as bigint) as debit_cents,
    cast(greatest(-lines.amount_cents, 0) as bigint) as credit_cents,
    lines.close_id
from lines
where lines.amount_cents <> 0 and {{ is_new_to_mart('lines') }}
