{# The same source as stg_book__plans, of which that model keeps only the newest version. #}
select
    plans.organization_id,
    plans.plan_code,
    plans.effective_at,
    plans.batch_id,
    {# a record of an older version of the project has no price_hash #}
    coalesce(plans.price_hash, plans.record_hash) as price_hash,
    coalesce(plans.variant_of_plan_code, plans.plan_code) as row_plan_code,
    plans.cascade_updates,
    plans.agreed_external_customer_id,
    plans.agreed_from_at,
    plans.agreed_to_at
from {{ source('raw', 'plans') }} as plans
