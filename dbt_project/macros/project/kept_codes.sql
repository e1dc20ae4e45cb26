{#
  What a close reads of the time before `from_at` although closes before it have decided it: the codes of a subscription
  with the span of their events. `unsettled` and `metered` are the relations stg_ledger__unsettled_usage and
  int_metered_charges.
#}
{% macro kept_codes(from_at, unsettled, metered) -%}
select
    unsettled.organization_id,
    unsettled.external_subscription_id,
    unsettled.code,
    {# closes of earlier versions did not record when the events lie #}
    coalesce(unsettled.open_from_at, {{ beginning_of_time() }}) as kept_from_at,
    coalesce(unsettled.open_to_at, {{ end_of_time() }}) as kept_to_at
from {{ unsettled }} as unsettled
where
    unsettled.is_newest
    and unsettled.code is not null
    and coalesce(unsettled.open_from_at, {{ beginning_of_time() }}) < timestamp '{{ from_at }}'

union all

{# what charges read of billed periods: recurring levels, restated periods #}
select
    metered_charges.organization_id,
    metered_charges.external_subscription_id,
    metered_charges.event_code as code,
    metered_charges.history_from_at as kept_from_at,
    metered_charges.usage_to_at as kept_to_at
from {{ metered }} as metered_charges
where metered_charges.history_from_at < timestamp '{{ from_at }}'
{%- endmacro %}
