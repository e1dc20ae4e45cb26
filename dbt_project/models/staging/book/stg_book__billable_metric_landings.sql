{# The same source as stg_book__billable_metrics, of which that model keeps only the newest version. #}
select
    billable_metrics.organization_id,
    billable_metrics.billable_metric_code,
    billable_metrics.effective_at,
    billable_metrics.batch_id,
    {# a record of an older version of the project has no price_hash #}
    coalesce(billable_metrics.price_hash, billable_metrics.record_hash) as price_hash
from {{ source('raw', 'billable_metrics') }} as billable_metrics
