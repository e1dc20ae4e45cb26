with

charge_ranges as (

    select * from {{ ref('stg_book__charge_ranges') }}

),

neighbours as (

    select
        charge_ranges.organization_id,
        charge_ranges.plan_code,
        charge_ranges.effective_at as plan_effective_at,
        charge_ranges.charge_code,
        charge_ranges.filter_position,
        charge_ranges.range_position,
        charge_ranges.from_value,
        charge_ranges.to_value,
        charge_ranges.per_unit_amount,
        charge_ranges.rate,
        charge_ranges.flat_amount,
        lag(charge_ranges.to_value) over (bucket_order) as previous_to_value
    from charge_ranges
    window bucket_order as (
        partition by
            charge_ranges.organization_id,
            charge_ranges.plan_code,
            charge_ranges.effective_at,
            charge_ranges.charge_code,
            charge_ranges.filter_position
        order by charge_ranges.range_position
    )

),

{# ranges touch when every one begins at the previous end; a mix counts as the integer kind #}
styled as (

    select
        neighbours.*,
        min(
            case
                when neighbours.previous_to_value is null then 1
                when neighbours.from_value = neighbours.previous_to_value then 1
                else 0
            end
        ) over (
            partition by
                neighbours.organization_id,
                neighbours.plan_code,
                neighbours.plan_effective_at,
                neighbours.charge_code,
                neighbours.filter_position
        ) = 1 as is_touching,
        max(coalesce(neighbours.per_unit_amount, neighbours.rate)) over (
            partition by
                neighbours.organization_id,
                neighbours.plan_code,
                neighbours.plan_effective_at,
                neighbours.charge_code,
                neighbours.filter_position
        ) as highest_price
    from neighbours

),

{# a graduated percentage knows integer ranges only: docs/billing-rules.md, Prices #}
measured as (

    select
        styled.*,
        case
            when styled.from_value = 0 or (styled.is_touching and styled.rate is null) then styled.from_value
            else styled.from_value - 1
        end as base_value,
        cast({{ units_that_fit('styled.highest_price') }} as decimal(38, 12)) + 1 as too_many_units
    from styled

),

{# what a range costs in full; none of one that only quantities reach which are too large to have an amount #}
priced as (

    select
        measured.*,
        case
            when measured.to_value >= measured.too_many_units then null
            when measured.rate is null
                then {{ price_graduated_range(
                    '(measured.to_value - measured.base_value)', 'measured.per_unit_amount', 'measured.flat_amount'
                ) }}
            else cast(measured.flat_amount as decimal(38, 24))
        end as full_amount,
        case
            when measured.to_value < measured.too_many_units
                then {{ multiply_percent('(measured.to_value - measured.base_value)', 'measured.rate') }}
        end as full_percentage
    from measured

)

select
    priced.organization_id,
    priced.plan_code,
    priced.plan_effective_at,
    priced.charge_code,
    priced.filter_position,
    priced.range_position,
    priced.from_value,
    priced.to_value,
    priced.per_unit_amount,
    priced.rate,
    priced.flat_amount,
    priced.previous_to_value,
    priced.is_touching,
    priced.highest_price,
    priced.base_value,
    priced.too_many_units,
    cast(coalesce(sum(priced.full_amount) over ranges_below, 0) as decimal(38, 24)) as amount_below,
    cast(coalesce(sum(priced.full_percentage) over ranges_below, 0) as decimal(38, 26)) as percentage_below
from priced
window ranges_below as (
    partition by
        priced.organization_id,
        priced.plan_code,
        priced.plan_effective_at,
        priced.charge_code,
        priced.filter_position
    order by priced.range_position
    rows between unbounded preceding and 1 preceding
)
