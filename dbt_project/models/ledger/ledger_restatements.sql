{# Decided with the invoice that knows them; what changed prices or code make of a period, by the close that learns. #}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

moments as (

    select * from {{ ref('ledger_moments') }}
    where {{ is_close_open('close_id') }}

),

restatements as (

    select * from {{ ref('int_restatements') }}

)

select
    close_scope.close_id,
    restatements.organization_id,
    restatements.restatement_id,
    restatements.external_customer_id,
    restatements.external_subscription_id,
    restatements.moment_id,
    restatements.fee_id,
    restatements.transaction_id,
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
    coalesce(moments.billing_at, close_scope.as_of) as decided_at
from restatements
inner join close_scope
    on restatements.organization_id = close_scope.organization_id
left join moments
    on restatements.next_moment_id = moments.moment_id
where moments.moment_id is not null or restatements.is_rerated
