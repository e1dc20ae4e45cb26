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

)

select * from styled
