{#
  Decided with the next invoice of the subscription, or waiting for it: the ledger has what was decided, the newest close
  what is pending.
#}
{%- set columns = [
    'organization_id', 'restatement_id', 'external_customer_id', 'external_subscription_id', 'moment_id', 'fee_id',
    'transaction_id', 'fee_type', 'fee_code', 'fee_name', 'billable_metric_code', 'filter_values', 'group_values', 'from_date', 'to_date',
    'currency', 'currency_exponent', 'cause', 'outcome', 'units_difference', 'events_count_difference',
    'billed_amount_cents', 'restated_amount_cents', 'difference_amount_cents', 'settled_amount_cents',
] -%}
with

invoices as (

    select * from {{ ref('fct_invoice') }}

),

periods as (

    select * from {{ ref('fct_subscription_period') }}

),

closes as (

    select * from {{ ref('fct_close') }}

),

decided as (

    select
        {% for column in columns -%}
            restatements.{{ column }},
        {% endfor -%}
        restatements.next_invoice_id,
        restatements.decided_at as known_at,
        restatements.close_id
    from {{ ref('ledger_restatements') }} as restatements
    inner join closes
        on
            restatements.close_id = closes.close_id
            and restatements.organization_id = closes.organization_id

    union all

    select
        {% for column in columns -%}
            restatements.{{ column }},
        {% endfor -%}
        cast(null as varchar) as next_invoice_id,
        closes.as_of as known_at,
        closes.close_id
    from {{ ref('int_restatements') }} as restatements
    inner join closes
        on
            restatements.organization_id = closes.organization_id
            and closes.is_newest
    where restatements.outcome = 'pending'

)

select
    decided.organization_id,
    decided.restatement_id,
    decided.external_customer_id,
    decided.external_subscription_id,
    decided.moment_id,
    {# an event in advance has an invoice of its own #}
    coalesce(lines.invoice_id, case when decided.transaction_id is null then periods.invoice_id end) as invoice_id,
    coalesce(
        lines.invoice_number, case when decided.transaction_id is null then periods.invoice_number end
    ) as invoice_number,
    decided.fee_id,
    decided.transaction_id,
    decided.fee_type,
    decided.fee_code,
    decided.fee_name,
    decided.billable_metric_code,
    decided.filter_values,
    decided.group_values,
    decided.from_date,
    decided.to_date,
    decided.currency,
    cast(decided.currency_exponent as integer) as currency_exponent,
    decided.cause,
    decided.outcome,
    decided.units_difference,
    decided.events_count_difference,
    decided.billed_amount_cents,
    decided.restated_amount_cents,
    decided.difference_amount_cents,
    decided.settled_amount_cents,
    case
        when decided.outcome in ('pending', 'reported') then decided.difference_amount_cents
        else cast(0 as bigint)
    end as open_amount_cents,
    decided.next_invoice_id,
    invoices.invoice_number as next_invoice_number,
    decided.known_at,
    decided.close_id
from decided
left join periods
    on decided.moment_id = periods.moment_id
left join {{ ref('fct_invoice_line') }} as lines
    on decided.fee_id = lines.fee_id
left join invoices
    on decided.next_invoice_id = invoices.invoice_id
