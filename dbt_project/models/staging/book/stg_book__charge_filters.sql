with

charge_filters as (

    {{ known_children('charge_filters', 'plans', ['plan_code', 'effective_at']) }}

)

select
    charge_filters.organization_id,
    charge_filters.plan_code,
    charge_filters.effective_at,
    charge_filters.charge_code,
    charge_filters.filter_position,
    charge_filters.invoice_display_name,
    charge_filters.filter_values,
    charge_filters.amount,
    charge_filters.rate,
    charge_filters.fixed_amount,
    charge_filters.package_size,
    charge_filters.free_units,
    charge_filters.free_units_per_events,
    charge_filters.free_units_per_total_aggregation,
    charge_filters.per_transaction_min_amount,
    charge_filters.per_transaction_max_amount,
    charge_filters.batch_id
from charge_filters
