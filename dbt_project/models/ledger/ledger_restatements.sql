with

{# decided with the invoice that knows them #}
moments as (

    select * from {{ ref('ledger_moments') }}
    where {{ is_close_open('close_id') }}

),

restatements as (

    select * from {{ ref('int_restatements') }}

)

select
    moments.close_id,
    restatements.organization_id,
    restatements.restatement_id,
    restatements.external_customer_id,
    restatements.external_subscription_id,
    restatements.moment_id,
    restatements.fee_id,
    restatements.fee_type,
    restatements.fee_code,
    restatements.fee_name,
    restatements.billable_metric_code,
    restatements.filter_values,
    restatements.group_values,
    restatements.from_date,
    restatements.to_date,
    restatements.currency,
    cast(restatements.currency_exponent as integer) as currency_exponent,
    restatements.cause,
    restatements.outcome,
    restatements.units_difference,
    restatements.events_count_difference,
    restatements.billed_amount_cents,
    restatements.restated_amount_cents,
    restatements.difference_amount_cents,
    restatements.settled_amount_cents,
    moments.moment_id as next_moment_id,
    moments.invoice_id as next_invoice_id,
    moments.billing_at as decided_at
from moments
inner join restatements
    on moments.moment_id = restatements.next_moment_id
