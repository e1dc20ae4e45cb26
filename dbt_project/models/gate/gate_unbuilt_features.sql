{#
  What a customer's book asks for that billing cannot do yet. Such customers wait instead of being billed wrongly;
  a row disappears from here with the issue that builds its feature.
#}
with

customer_features as (

    {# what was charged at the event's own instant, in advance, cannot be corrected yet #}
    select
        versions.organization_id,
        moments.external_customer_id,
        'event_correction' as feature
    from {{ ref('int_event_versions') }} as versions
    inner join {{ ref('int_billing_moments') }} as moments
        on versions.moment_id = moments.moment_id
    inner join {{ ref('stg_book__charges') }} as charges
        on
            moments.organization_id = charges.organization_id
            and moments.plan_code = charges.plan_code
            and moments.plan_effective_at = charges.effective_at
            and charges.is_pay_in_advance
    inner join {{ ref('int_metric_versions') }} as metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and versions.code = metric_versions.event_code

)

{# a feature that is asked for in several places is named once #}
select distinct
    customer_features.organization_id,
    customer_features.external_customer_id,
    customer_features.feature
from customer_features
where customer_features.external_customer_id is not null
