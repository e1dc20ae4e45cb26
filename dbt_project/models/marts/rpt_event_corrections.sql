with

corrections as (

    select * from {{ ref('stg_book__event_corrections') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

versions as (

    select * from {{ ref('int_event_versions') }}

),

periods as (

    select * from {{ ref('fct_subscription_period') }}

)

select
    corrections.organization_id,
    corrections.event_correction_id,
    corrections.external_subscription_id,
    corrections.transaction_id,
    corrections.action,
    corrections.reason,
    corrections.created_at,
    case
        when corrections.created_at > close_scope.as_of then 'pending'
        when versions.transaction_id is null then 'no_event'
        when versions.is_late then 'late'
        when versions.is_billed_version then 'in_force'
        else 'superseded'
    end as correction_state,
    {# what the correction changes, and what it makes of it #}
    before_it.code as previous_event_code,
    before_it.event_at as previous_event_at,
    before_it.properties as previous_properties,
    case when not versions.is_cancelled then versions.code end as event_code,
    case when not versions.is_cancelled then versions.event_at end as event_at,
    case when not versions.is_cancelled then versions.properties end as properties,
    periods.invoice_number,
    corrections.batch_id,
    corrections.source_file,
    corrections.source_line
from corrections
inner join close_scope
    on corrections.organization_id = close_scope.organization_id
left join versions
    on
        corrections.organization_id = versions.organization_id
        and corrections.event_correction_id = versions.event_correction_id
left join versions as before_it
    on
        versions.organization_id = before_it.organization_id
        and versions.external_subscription_id = before_it.external_subscription_id
        and versions.transaction_id = before_it.transaction_id
        and versions.version_number = before_it.version_number + 1
left join periods
    on before_it.moment_id = periods.moment_id
