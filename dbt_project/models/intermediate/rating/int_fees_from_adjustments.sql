{# What late knowledge adds to a billed period, as lines of the subscription's next invoice, dated as that period. #}
select
    {{ surrogate_key(['restatements.next_moment_id', "'adjustment'", 'restatements.fee_id']) }} as fee_id,
    restatements.next_moment_id as moment_id,
    restatements.plan_code,
    restatements.plan_effective_at,
    'adjustment' as fee_type,
    restatements.fee_code,
    restatements.fee_name,
    restatements.fee_position,
    restatements.filter_position,
    restatements.billable_metric_code,
    restatements.charge_model,
    restatements.filter_values,
    restatements.group_values,
    restatements.from_date,
    restatements.to_date,
    restatements.units_difference as units,
    restatements.events_count_difference as events_count,
    cast(null as decimal(21, 12)) as unit_price,
    restatements.currency,
    restatements.currency_exponent,
    restatements.settled_amount_cents as amount_cents,
    cast(restatements.settled_amount_cents as decimal(38, 15)) as precise_amount_cents
from {{ ref('int_restatements') }} as restatements
where restatements.outcome = 'adjusted' and restatements.settled_amount_cents > 0
