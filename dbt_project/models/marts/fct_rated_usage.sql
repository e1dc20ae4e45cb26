{# Most lines have no ranges and are in fct_invoice_line as they are: a view, here and in the copy for readers. #}
{{ config(materialized='view') }}

with

usage_lines as (

    select * from {{ ref('fct_invoice_line') }}
    where fee_type = 'charge'

),

tiers as (

    select * from {{ ref('fct_invoice_line_tier') }}

)

{# a fee without price ranges is rated as one tier: all of its units #}
select
    usage_lines.fee_id,
    coalesce(tiers.tier_position, 1) as tier_position,
    usage_lines.invoice_id,
    usage_lines.organization_id,
    usage_lines.external_customer_id,
    usage_lines.external_subscription_id,
    usage_lines.plan_code,
    usage_lines.fee_code as charge_code,
    usage_lines.billable_metric_code,
    usage_lines.charge_model,
    usage_lines.filter_values,
    usage_lines.group_values,
    usage_lines.from_date,
    usage_lines.to_date,
    tiers.from_value,
    tiers.to_value,
    coalesce(tiers.units, usage_lines.units) as units_in_tier,
    coalesce(tiers.unit_price, usage_lines.unit_price) as unit_price,
    cast(coalesce(tiers.flat_amount, 0) as decimal(21, 12)) as flat_amount,
    usage_lines.currency,
    usage_lines.currency_exponent,
    case
        when tiers.fee_id is null then usage_lines.precise_amount_cents
        else tiers.precise_amount_cents
    end as precise_amount_cents,
    usage_lines.close_id
from usage_lines
left join tiers
    on
        usage_lines.close_id = tiers.close_id
        and usage_lines.fee_id = tiers.fee_id
