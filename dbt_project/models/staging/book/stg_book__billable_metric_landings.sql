{# The same source as stg_book__billable_metrics, of which that model keeps only the newest version. #}
select
    billable_metrics.organization_id,
    billable_metrics.billable_metric_code,
    billable_metrics.effective_at,
    billable_metrics.batch_id,
    {{ is_repriced('billable_metrics') }} as is_repriced
from {{ source('raw', 'billable_metrics') }} as billable_metrics
window
    landings_before as (
        partition by
            billable_metrics.organization_id, billable_metrics.billable_metric_code, billable_metrics.effective_at
        order by billable_metrics.batch_id
    )
