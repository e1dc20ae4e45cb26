with

points as (

    select * from {{ ref('int_price_points') }}

),

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

tiered as (

    select * from {{ ref('int_tiered_amounts') }}

),

prorated_sums as (

    select
        prorated_tiers.usage_id,
        prorated_tiers.whole,
        {{ sum_of_amounts('prorated_tiers.amount') }} as amount,
        sum(prorated_tiers.price_parts) as price_parts,
        {# of one scale with the amounts: a case over two scales would cut to the smaller #}
        cast(sum(prorated_tiers.flat_amount) as decimal(38, 24)) as flat_amount
    from {{ ref('int_prorated_tiers') }} as prorated_tiers
    group by prorated_tiers.usage_id, prorated_tiers.whole

),

exact_sums as (

    select
        prorated_sums.usage_id,
        prorated_sums.flat_amount,
        prorated_sums.amount + cast(
            cast({{ divide_floor('prorated_sums.price_parts', 'prorated_sums.whole') }} as decimal(38, 0))
            * 0.000000000000000000000001 as decimal(38, 24)
        ) as amount
    from prorated_sums

),

{# what is given back is never more than what was charged; a sum that is unknown stays so #}
prorated as (

    select
        exact_sums.usage_id,
        case when exact_sums.amount < 0 then 0 else exact_sums.amount end + exact_sums.flat_amount as amount,
        exact_sums.flat_amount
    from exact_sums

),

limited as (

    select
        allowances.moment_id,
        allowances.charge_code,
        allowances.filter_position,
        allowances.group_values,
        {{ sum_of_amounts('allowances.limited_amount') }} as amount
    from {{ ref('int_percentage_allowances') }} as allowances
    where allowances.list_number = 0
    group by allowances.moment_id, allowances.charge_code, allowances.filter_position, allowances.group_values

),

priced as (

    select
        points.point_id,
        points.point_kind,
        points.moment_id,
        points.charge_code,
        points.filter_position,
        points.group_values,
        points.events_count,
        points.full_units,
        points.units,
        points.units_rest,
        points.charge_model,
        cast(
            case
                when not usage.is_billable then 0
                when points.charge_model = 'standard'
                    then
                        {{ price_standard('points.units', 'buckets.unit_price') }}
                        + {{ price_units_rest('points.units_rest', 'buckets.unit_price') }}
                when points.charge_model = 'graduated' and points.is_prorated
                    then
                        case
                            when points.full_units < 0 then 0
                            when points.units = 0 then prorated.flat_amount
                            else prorated.amount
                        end
                when points.charge_model in ('graduated', 'graduated_percentage', 'volume')
                    then case when tiered.point_id is null then 0 else tiered.amount end
                when points.charge_model = 'package'
                    then {{ price_package(
                        'points.units', 'points.units_rest', 'buckets.free_units', 'buckets.package_size',
                        'buckets.unit_price'
                    ) }}
                when points.charge_model = 'percentage' and buckets.has_event_limits
                    then case when limited.moment_id is null then 0 else limited.amount end
                when points.charge_model = 'percentage'
                    then {{ price_percentage(
                        'points.units', 'points.units_rest', 'points.free_units', 'buckets.rate',
                        'points.events_count', 'points.free_events_count', 'buckets.fixed_amount'
                    ) }}
                {# amounts that the events bring: nothing when their units are zero #}
                when points.charge_model = 'dynamic' and points.units = 0 then 0
                when points.charge_model = 'dynamic'
                    then {{ major_units('coalesce(usage.precise_total_amount_cents, 0)', 'currencies.exponent') }}
                {# the amount that the aggregation accumulated; unknown when it failed #}
                when points.charge_model = 'custom'
                    then case when custom.failure is null then cast(coalesce(custom.amount, 0) as decimal(38, 24)) end
            end as decimal(38, 24)
        ) as amount
    from points
    inner join buckets
        on
            points.organization_id = buckets.organization_id
            and points.plan_code = buckets.plan_code
            and points.plan_effective_at = buckets.plan_effective_at
            and points.charge_code = buckets.charge_code
            and points.filter_position = buckets.filter_position
    inner join plan_versions
        on
            points.organization_id = plan_versions.organization_id
            and points.plan_code = plan_versions.plan_code
            and points.plan_effective_at = plan_versions.effective_at
    left join currencies
        on plan_versions.amount_currency = currencies.currency_code
    left join usage
        on points.usage_id = usage.usage_id
    left join {{ ref('int_usage_custom') }} as custom
        on
            points.moment_id = custom.moment_id
            and points.charge_code = custom.charge_code
            and points.filter_position = custom.filter_position
            and points.group_values = custom.group_values
    left join tiered
        on points.point_id = tiered.point_id
    left join prorated
        on points.usage_id = prorated.usage_id
    left join limited
        on
            points.moment_id = limited.moment_id
            and points.charge_code = limited.charge_code
            and points.filter_position = limited.filter_position
            and points.group_values = limited.group_values

),

{# negative units or a negative amount make both zero: docs/billing-rules.md, Prices #}
judged as (

    select
        priced.*,
        coalesce(priced.units < 0 or priced.full_units < 0 or priced.amount < 0, false) as is_negative
    from priced

)

select
    judged.point_id,
    judged.point_kind,
    judged.moment_id,
    judged.charge_code,
    judged.filter_position,
    judged.group_values,
    judged.events_count,
    case when judged.is_negative then cast(0 as decimal(38, 12)) else judged.full_units end as full_units,
    case when judged.is_negative then cast(0 as decimal(38, 12)) else judged.units end as units,
    case when judged.is_negative then cast(0 as bigint) else judged.units_rest end as units_rest,
    case when judged.is_negative then cast(0 as decimal(38, 24)) else judged.amount end as amount
from judged
