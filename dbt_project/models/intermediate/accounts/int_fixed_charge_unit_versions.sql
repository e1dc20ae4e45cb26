{# Since which landing batch a dated number of units is known, and in which it was no longer said. #}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

spoken as (

    select
        landings.organization_id,
        landings.external_subscription_id,
        landings.created_at,
        landings.fixed_charge_code,
        landings.effective_at,
        landings.units,
        min(landings.batch_id) as since_batch_id,
        max(landings.batch_id) as last_batch_id
    from {{ ref('stg_book__fixed_charge_unit_landings') }} as landings
    inner join close_scope
        on
            landings.organization_id = close_scope.organization_id
            and landings.batch_id <= close_scope.known_batch_id
    group by
        landings.organization_id,
        landings.external_subscription_id,
        landings.created_at,
        landings.fixed_charge_code,
        landings.effective_at,
        landings.units

),

withdrawn as (

    select
        spoken.organization_id,
        spoken.external_subscription_id,
        spoken.created_at,
        spoken.fixed_charge_code,
        spoken.effective_at,
        spoken.units,
        min(landings.batch_id) as until_batch_id
    from spoken
    inner join {{ ref('stg_book__subscription_landings') }} as landings
        on
            spoken.organization_id = landings.organization_id
            and spoken.external_subscription_id = landings.external_subscription_id
            and spoken.created_at = landings.created_at
            and spoken.last_batch_id < landings.batch_id
    inner join close_scope
        on
            landings.organization_id = close_scope.organization_id
            and landings.batch_id <= close_scope.known_batch_id
    group by
        spoken.organization_id,
        spoken.external_subscription_id,
        spoken.created_at,
        spoken.fixed_charge_code,
        spoken.effective_at,
        spoken.units

)

select
    spoken.organization_id,
    spoken.external_subscription_id,
    spoken.created_at,
    spoken.fixed_charge_code,
    spoken.effective_at,
    spoken.units,
    spoken.since_batch_id,
    withdrawn.until_batch_id
from spoken
left join withdrawn
    on
        spoken.organization_id = withdrawn.organization_id
        and spoken.external_subscription_id = withdrawn.external_subscription_id
        and spoken.created_at = withdrawn.created_at
        and spoken.fixed_charge_code = withdrawn.fixed_charge_code
        and spoken.effective_at = withdrawn.effective_at
        and spoken.units = withdrawn.units
