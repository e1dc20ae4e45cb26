with

units as (

    select * from {{ ref('int_fixed_charge_units') }}

),

ranges as (

    select * from {{ ref('stg_book__fixed_charge_ranges') }}

),

neighbours as (

    select
        ranges.*,
        lag(ranges.to_value) over (charge_order) as previous_to_value
    from ranges
    window charge_order as (
        partition by ranges.organization_id, ranges.plan_code, ranges.effective_at, ranges.fixed_charge_code
        order by ranges.range_position
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
                neighbours.effective_at,
                neighbours.fixed_charge_code
        ) = 1 as is_touching
    from neighbours

),

{# graduated: the first range always, a later one when the units exceed the one before; volume: the one range reached #}
reached as (

    select
        units.moment_id,
        units.fixed_charge_code,
        cast({{ price_graduated_range(
            "cast(case when units.charge_model = 'volume' then units.priced_units else "
            ~ units_in_graduated_range('units.priced_units', 'styled.from_value', 'styled.to_value', 'styled.is_touching')
            ~ ' end as decimal(38, 12))',
            'styled.per_unit_amount', 'styled.flat_amount'
        ) }} as decimal(38, 24)) as amount
    from units
    inner join styled
        on
            units.organization_id = styled.organization_id
            and units.plan_code = styled.plan_code
            and units.plan_effective_at = styled.effective_at
            and units.fixed_charge_code = styled.fixed_charge_code
            and (styled.range_position = 1 or units.priced_units > styled.previous_to_value)
            and (
                units.charge_model = 'graduated'
                or styled.to_value is null
                or units.priced_units <= styled.to_value
            )
    where units.charge_model in ('graduated', 'volume')

),

graduated as (

    {# no amount at all when one of the ranges has none #}
    select
        reached.moment_id,
        reached.fixed_charge_code,
        case when count(*) = count(reached.amount) then sum(reached.amount) end as amount
    from reached
    group by reached.moment_id, reached.fixed_charge_code

)

select
    {% for column in [
        'moment_id', 'is_open', 'is_restated', 'reason', 'organization_id', 'external_subscription_id', 'subscription_created_at',
        'billing_at', 'plan_code', 'plan_effective_at', 'fixed_charge_code', 'position', 'invoice_display_name',
        'add_on_code', 'charge_model', 'is_pay_in_advance', 'is_prorated', 'unit_price', 'from_date', 'to_date',
        'units',
    ] -%}
        units.{{ column }},
    {% endfor -%}
    cast(
        case
            when units.charge_model = 'standard' then {{ price_standard('units.priced_units', 'units.unit_price') }}
            {# units that were lowered cost nothing, whatever the ranges say of zero units #}
            when units.reason = 'fixed_charge_units' and units.units = 0 then 0
            else graduated.amount
        end as decimal(38, 24)
    ) as amount
from units
left join graduated
    on
        units.moment_id = graduated.moment_id
        and units.fixed_charge_code = graduated.fixed_charge_code
