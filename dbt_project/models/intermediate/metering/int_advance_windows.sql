{#
  An event of a charge in advance is charged by what is known when it comes. Where events were corrected that changes at
  each correction: the open period is metered once for each span of time between two of them.
#}
with

metered_charges as (

    select
        metered_charges.*,
        {# as in int_charge_windows: nothing after as_of may count #}
        least(
            greatest(metered_charges.finalizes_at, metered_charges.usage_to_at),
            metered_charges.as_of + interval '1 microsecond'
        ) as known_to_at
    from {{ ref('int_metered_charges') }} as metered_charges
    where
        metered_charges.is_pay_in_advance
        and metered_charges.moment_state in {{ open_states() }}

),

versions as (

    select * from {{ ref('int_event_versions') }}

),

{# a correction counts where the event lies, and where the version before lay #}
corrections as (

    {% for placed in ['versions', 'before_it'] -%}
        select
            versions.organization_id,
            versions.external_subscription_id,
            {{ placed }}.code,
            {{ placed }}.event_at,
            versions.known_at
        from versions
        inner join versions as before_it
            on
                versions.organization_id = before_it.organization_id
                and versions.external_subscription_id = before_it.external_subscription_id
                and versions.transaction_id = before_it.transaction_id
                and versions.version_number = before_it.version_number + 1
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

instants as (

    select distinct
        metered_charges.moment_id,
        metered_charges.event_code,
        metered_charges.usage_from_at,
        metered_charges.known_to_at as charging_to_at,
        corrections.known_at
    from metered_charges
    inner join corrections
        on
            metered_charges.organization_id = corrections.organization_id
            and metered_charges.external_subscription_id = corrections.external_subscription_id
            and metered_charges.event_code = corrections.code
            and metered_charges.history_from_at <= corrections.event_at
            and metered_charges.usage_to_at > corrections.event_at
            and metered_charges.known_to_at > corrections.known_at

),

{# what was corrected before the period began is one with what was known from the first #}
edges as (

    select
        instants.moment_id,
        instants.event_code,
        instants.charging_to_at,
        instants.known_at as known_from_at
    from instants
    where instants.known_at > instants.usage_from_at

    union all

    select distinct
        instants.moment_id,
        instants.event_code,
        instants.charging_to_at,
        {{ beginning_of_time() }} as known_from_at
    from instants

)

select
    {{ surrogate_key(['edges.moment_id', "'charging'", 'edges.event_code', 'edges.known_from_at']) }} as window_id,
    edges.moment_id as period_moment_id,
    edges.event_code,
    edges.known_from_at,
    coalesce(
        lead(edges.known_from_at) over (
            partition by edges.moment_id, edges.event_code
            order by edges.known_from_at
        ), edges.charging_to_at
    ) as known_to_at
from edges
