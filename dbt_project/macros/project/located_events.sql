{#
  Where events lie and what became of them, as int_events_located describes it. `bounds` (recorded_bounds): of what batches
  up to that one landed, events before that instant are left out when nothing can change them any more; without bounds every
  known event has a row.
#}
{% macro located_events(bounds=none) -%}
{%- set from_at = bounds.from_at if bounds else none -%}
{%- set recorded_batch = bounds.batch if bounds else none -%}
{#- named before it is needed, so that dbt knows of it also while there are no bounds -#}
{%- set unsettled_usage = ref('stg_ledger__unsettled_usage') -%}
{%- set value_text = json_text('located.properties', 'located.measured_field') -%}
{%- set columns = [
    'organization_id', 'external_subscription_id', 'transaction_id', 'code', 'event_at', 'received_at', 'properties',
    'precise_total_amount_cents', 'batch_id', 'file_id', 'line_number',
] -%}
{%- set kinds = ['landed', 'reread'] -%}
{%- set corrected = has_corrections() -%}
{%- set extracted = ['quantity', 'item', 'is_remove', 'facets'] -%}
with

versions as (

    select * from {{ ref('int_event_versions') }}

),

corrected_subscriptions as (

    select distinct
        versions.organization_id,
        versions.external_subscription_id
    from versions

),

{#
  Earlier closes recorded the events of the periods that they finalised (ledger_moment_fates): of what they knew, only
  what may still change is read, so that a close does not grow with its history.
#}
{% if from_at is none -%}
known_events as not materialized (

    select * from {{ ref('stg_events__usage_events') }}

),
{%- else -%}
kept_codes as (

    {{ kept_codes(from_at, unsettled_usage, ref('int_metered_charges')) | indent(4) }}

),

kept_spans as (

    select
        kept_codes.organization_id,
        kept_codes.external_subscription_id,
        kept_codes.code,
        min(kept_codes.kept_from_at) as kept_from_at,
        max(kept_codes.kept_to_at) as kept_to_at
    from kept_codes
    group by kept_codes.organization_id, kept_codes.external_subscription_id, kept_codes.code

),

known_events as not materialized (

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at >= timestamp '{{ from_at }}'

    union all

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at < timestamp '{{ from_at }}' and usage_events.batch_id > {{ recorded_batch }}
    {% if bounds.kept_from_at %}
        union all

        select usage_events.*
        from {{ ref('stg_events__usage_events') }} as usage_events
        inner join kept_spans
            on
                usage_events.organization_id = kept_spans.organization_id
                and usage_events.external_subscription_id = kept_spans.external_subscription_id
                and usage_events.code = kept_spans.code
                and usage_events.event_at >= kept_spans.kept_from_at
                and usage_events.event_at < kept_spans.kept_to_at
        where
            usage_events.event_at >= timestamp '{{ bounds.kept_from_at }}'
            and usage_events.event_at < timestamp '{{ from_at }}'
            and usage_events.batch_id <= {{ recorded_batch }}
    {% endif %}

),

{#
  The time before that of which something is read: what is looked at again, what was landed since, and what was corrected. An
  event is compared with all places of its subscription, so that places that no event is read of would cost each event more.
#}
read_spans as (

    select
        kept_spans.organization_id,
        kept_spans.external_subscription_id,
        kept_spans.kept_from_at as from_at,
        kept_spans.kept_to_at as to_at
    from kept_spans

    union all

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.event_at as from_at,
        usage_events.event_at as to_at
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at < timestamp '{{ from_at }}' and usage_events.batch_id > {{ recorded_batch }}

    union all

    select
        versions.organization_id,
        versions.external_subscription_id,
        versions.event_at as from_at,
        versions.event_at as to_at
    from versions

),

read_places as (

    select places.place_number
    from {{ ref('int_event_places') }} as places
    inner join read_spans
        on
            places.organization_id = read_spans.organization_id
            and places.external_subscription_id = read_spans.external_subscription_id
            and places.from_at <= read_spans.to_at
            and places.to_at > read_spans.from_at

),
{%- endif %}

places as (

    select * from {{ ref('int_event_places') }}
    {% if from_at is not none -%}
        where to_at > timestamp '{{ from_at }}' or place_number in (select read_places.place_number from read_places)
    {%- endif %}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

metered_codes as (

    select * from {{ ref('int_metered_codes') }}

),

recurring_codes as (

    select * from {{ ref('int_recurring_codes') }}

),

facet_keys as (

    select
        facet_keys.organization_id,
        facet_keys.event_code,
        array_agg({{ json_path('facet_keys.facet_key') }} order by facet_keys.facet_position) as facet_paths
    from {{ ref('int_facet_keys') }} as facet_keys
    group by facet_keys.organization_id, facet_keys.event_code

),

metric_codes as (

    {# one row per event code, however many metrics read it #}
    select
        metric_versions.organization_id,
        metric_versions.event_code,
        min(facet_keys.facet_paths) as facet_paths
    from {{ ref('int_metric_versions') }} as metric_versions
    left join facet_keys
        on
            metric_versions.organization_id = facet_keys.organization_id
            and metric_versions.event_code = facet_keys.event_code
    group by metric_versions.organization_id, metric_versions.event_code

),

{# layouts of which not all was taken out that is read now #}
reread_layouts as (

    select layouts.layout_id
    from {{ ref('stg_events__event_layouts') }} as layouts
    inner join metered_codes
        on
            layouts.organization_id = metered_codes.organization_id
            and layouts.event_code = metered_codes.event_code
    where coalesce(metered_codes.layout_id <> layouts.layout_id, true)

    union distinct

    select layouts.layout_id
    from {{ ref('stg_events__event_layouts') }} as layouts
    inner join {{ ref('int_metered_charges') }} as metered_charges
        on
            layouts.organization_id = metered_charges.organization_id
            and layouts.event_code = metered_charges.event_code
    where metered_charges.moment_state in ('restated', 'noted')

    union distinct

    select layouts.layout_id
    from {{ ref('stg_events__event_layouts') }} as layouts
    inner join recurring_codes
        on
            layouts.organization_id = recurring_codes.organization_id
            and layouts.event_code = recurring_codes.event_code

),

{#
  The others: of their events the texts, the greatest part of what is stored, are not even touched. A layout knows the code
  of its events.
#}
kept_layouts as (

    select
        layouts.layout_id,
        metric_codes.event_code as metric_code
    from {{ ref('stg_events__event_layouts') }} as layouts
    left join reread_layouts
        on layouts.layout_id = reread_layouts.layout_id
    left join metric_codes
        on
            layouts.organization_id = metric_codes.organization_id
            and layouts.event_code = metric_codes.event_code
    where reread_layouts.layout_id is null

),

{# as they were landed; only subscriptions with corrections pay for leaving out what was corrected #}
uncorrected_events as not materialized (

    {% if corrected %}
        select usage_events.*
        from known_events as usage_events
        left join corrected_subscriptions
            on
                usage_events.organization_id = corrected_subscriptions.organization_id
                and usage_events.external_subscription_id = corrected_subscriptions.external_subscription_id
        where corrected_subscriptions.organization_id is null

        union all

        select usage_events.*
        from known_events as usage_events
        inner join corrected_subscriptions
            on
                usage_events.organization_id = corrected_subscriptions.organization_id
                and usage_events.external_subscription_id = corrected_subscriptions.external_subscription_id
        left join versions
            on
                usage_events.organization_id = versions.organization_id
                and usage_events.external_subscription_id = versions.external_subscription_id
                and usage_events.transaction_id = versions.transaction_id
                and versions.is_billed_version
        where versions.organization_id is null
    {% else %}
        select * from known_events
    {% endif %}

),

landed_events as (

    select
        {% for column in columns + extracted %}
            usage_events.{{ column }},
        {% endfor %}
        kept_layouts.metric_code,
        coalesce(usage_events.received_at, usage_events.event_at) as known_at,
        false as is_corrected,
        false as is_cancelled
    from uncorrected_events as usage_events
    inner join kept_layouts
        on usage_events.layout_id = kept_layouts.layout_id

),

{# landed when the catalogue asked for something else, or for nothing, and the billed versions of corrected ones #}
reread_events as (

    {% for join, condition in [
        ('inner join reread_layouts on usage_events.layout_id = reread_layouts.layout_id', 'true'),
        ('', 'usage_events.layout_id is null'),
    ] -%}
        select
            {% for column in columns %}
                usage_events.{{ column }},
            {% endfor %}
            coalesce(usage_events.received_at, usage_events.event_at) as known_at,
            false as is_corrected,
            false as is_cancelled
        from uncorrected_events as usage_events
        {{ join }}
        where {{ condition }}

        union all

    {% endfor %}
    select
        {% for column in columns %}
            versions.{{ column }},
        {% endfor %}
        versions.known_at,
        true as is_corrected,
        versions.is_cancelled
    from versions
    where versions.is_billed_version

),

{% for kind in kinds %}
    {#
      Each event at its place. Nearly all events are billed as they come: what decides that is numbers and flags, and every
      case below asks it first, so that the engine hands such events through without looking at the rest.
    #}
    {{ kind }}_placed as (

        select
            usage_events.*,
            places.place_number,
            places.moment_id,
            places.moment_state,
            places.first_started_at,
            places.is_restated,
            places.finalized_batch_id,
            places.recorded_batch_id,
            greatest(usage_events.event_at, usage_events.known_at) >= places.taken_to_at as is_after,
            metered_codes.event_code is not null as is_metered,
            metered_codes.measured_field,
            metered_codes.is_measured,
            metered_codes.is_unique_counted,
            metered_codes.is_latest_read,
            metered_codes.level_ends_at
        from {{ kind }}_events as usage_events
        inner join close_scope
            on
                usage_events.organization_id = close_scope.organization_id
                and usage_events.batch_id <= close_scope.known_batch_id
        left join places
            on
                usage_events.organization_id = places.organization_id
                and usage_events.external_subscription_id = places.external_subscription_id
                and usage_events.event_at >= places.from_at
                and usage_events.event_at < places.to_at
        left join metered_codes
            on
                places.place_number = metered_codes.place_number
                and usage_events.code = metered_codes.event_code

    ),

    {{ kind }}_known as (

        select
            placed.*,
            placed.is_metered and not (placed.is_after or placed.is_cancelled) as is_billed,
            {% if kind == 'reread' %}
                metric_codes.event_code as metric_code,
                metric_codes.facet_paths,
            {% endif %}
            coalesce(recurring_codes.is_levelled, false) as is_levelled,
            coalesce(
                placed.event_at >= recurring_codes.history_from_at and placed.event_at < recurring_codes.usage_to_at, false
            ) as is_carried
        from {{ kind }}_placed as placed
        {% if kind == 'reread' %}
            left join metric_codes
                on
                    placed.organization_id = metric_codes.organization_id
                    and placed.code = metric_codes.event_code
        {% endif %}
        left join recurring_codes
            on
                placed.organization_id = recurring_codes.organization_id
                and placed.external_subscription_id = recurring_codes.external_subscription_id
                and placed.code = recurring_codes.event_code

    ),

    {{ kind }}_fated as (

        select
            known.*,
            {#
              What is in a finalised period and was known then keeps the fate that its close recorded
              (ledger_moment_fates). Late is what became known at or after its billing moment, or was landed after it.
            #}
            case
                when known.is_billed then known.moment_state
                when known.batch_id <= known.finalized_batch_id and not known.is_after then 'finalized'
                when known.is_cancelled then 'cancelled'
                when known.metric_code is null and not known.is_metered then 'no_metric'
                when known.moment_state is null then 'no_subscription'
                when known.event_at < known.first_started_at and known.is_levelled then 'carried'
                when known.event_at < known.first_started_at then 'before_subscription'
                when known.is_after and known.moment_state in ('none', 'running', 'draft') then 'pending'
                when known.moment_state = 'none' then 'outside_billed_periods'
                when known.moment_state = 'finalized' then 'late'
                when not known.is_metered then 'no_charge'
                else 'late'
            end as fate
        from {{ kind }}_known as known

    ),

    {# what no open moment counts needs no properties #}
    {{ kind }}_located as (

        select
            fated.*,
            case
                when fated.is_billed then true
                when fated.is_cancelled then false
                else
                    (fated.is_carried and fated.fate <> 'pending')
                    or (coalesce(fated.is_restated, false) and fated.fate in ('finalized', 'late'))
            end as is_read
        from {{ kind }}_fated as fated

    ){% if not loop.last %},{% endif %}
{% endfor %}

{% for kind in kinds %}
    select
        located.organization_id,
        located.external_subscription_id,
        located.transaction_id,
        located.code,
        located.event_at,
        coalesce(located.received_at, located.event_at) as received_at,
        case when located.is_read then located.properties end as properties,
        case when located.is_read then located.precise_total_amount_cents end as precise_total_amount_cents,
        located.batch_id,
        located.file_id,
        located.line_number,
        located.place_number,
        located.moment_id,
        located.level_ends_at,
        coalesce(located.is_latest_read, false) as is_latest_read,
        located.is_corrected,
        located.is_cancelled,
        case
            when located.is_billed then false
            else coalesce(located.batch_id <= located.recorded_batch_id, false)
        end as is_recorded,
        located.is_read,
        coalesce(located.is_measured, false) as is_measured,
        {% if kind == 'landed' %}
            located.facets,
            located.quantity,
            located.item,
            located.is_remove,
        {% else %}
            case
                when located.is_read and located.facet_paths is not null
                    then {{ json_pick('located.properties', 'located.facet_paths') }}
            end as facets,
            case
                when located.is_read and located.measured_field is not null then {{ parse_quantity(value_text) }}
            end as quantity,
            case when located.is_read and located.is_unique_counted then {{ counted_item(value_text) }} end as item,
            case
                when located.is_read and located.is_unique_counted
                    then coalesce({{ json_text('located.properties', "'operation_type'") }} = 'remove', false)
            end as is_remove,
        {% endif %}
        located.fate
    from {{ kind }}_located as located
    {% if not loop.last %}union all{% endif %}
{% endfor %}
{%- endmacro %}
