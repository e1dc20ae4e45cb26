{#
  The same source as stg_book__plans, of which that model keeps only the newest version. A version of a rate card, or of
  an override, reaches the subscriptions that it is agreed for.
#}
{%- set reach = ['cascade_updates', 'agreed_from_at', 'agreed_to_at'] -%}
select
    plans.organization_id,
    plans.plan_code,
    plans.effective_at,
    plans.batch_id,
    {{ is_repriced('plans') }} as is_repriced,
    lag(plans.batch_id) over landings_before is not null
    and (
        {% for column in reach -%}
            plans.{{ column }} is distinct from lag(plans.{{ column }}) over landings_before
            {%- if not loop.last %} or {% endif %}
        {% endfor %}
    ) as is_reach_changed,
    coalesce(plans.variant_of_plan_code, plans.plan_code) as row_plan_code,
    plans.agreed_external_customer_id,
    plans.agreed_from_at
from {{ source('raw', 'plans') }} as plans
window
    landings_before as (
        partition by plans.organization_id, plans.plan_code, plans.effective_at
        order by plans.batch_id
    )
