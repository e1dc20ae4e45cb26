with

fees as (

    select * from {{ ref('ledger_fees') }}
    where {{ is_close_open('close_id') }} and fee_type = 'charge'

),

regenerated_moments as (

    select * from {{ ref('int_regenerated_moments') }}

),

{# of fees that a void bills anew: those of the fee that they copy, whichever close finalised it #}
copied as (

    select
        {{ surrogate_key(['regenerated_moments.moment_id', 'copied_fees.fee_id']) }} as fee_id,
        copied_fees.fee_id as copied_fee_id
    from {{ ref('int_fees') }} as copied_fees
    inner join regenerated_moments
        on copied_fees.moment_id = regenerated_moments.voided_moment_id

    union all

    select
        {{ surrogate_key(['regenerated_moments.moment_id', 'copied_fees.fee_id']) }} as fee_id,
        copied_fees.fee_id as copied_fee_id
    from {{ ref('stg_ledger__fees') }} as copied_fees
    inner join regenerated_moments
        on copied_fees.moment_id = regenerated_moments.voided_moment_id

),

{% set columns = {
    'fee_id': 'varchar',
    'tier_position': 'integer',
    'from_value': 'decimal(27,12)',
    'to_value': 'decimal(27,12)',
    'units': 'decimal(38,12)',
    'per_unit_amount': 'decimal(21,12)',
    'rate': 'decimal(21,12)',
    'flat_amount': 'decimal(21,12)',
    'amount': 'decimal(38,24)',
} -%}
committed as (

    {{ committed_rows('ledger_fee_tiers', columns) | indent(4) }}

),

tiers as (

    select {{ columns | join(', ') }}
    from {{ ref('int_fee_tiers') }}

    {% for source in [ref('int_fee_tiers'), 'committed'] %}
        union all

        select
            copied.fee_id,
            {%- for column in (columns | list)[1:] %}
            sources.{{ column }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        from {{ source }} as sources
        inner join copied
            on sources.fee_id = copied.copied_fee_id
    {% endfor %}

)

select
    fees.close_id,
    fees.fee_id,
    fees.invoice_id,
    fees.organization_id,
    tiers.tier_position,
    tiers.from_value,
    tiers.to_value,
    tiers.units,
    tiers.per_unit_amount,
    tiers.rate,
    tiers.flat_amount,
    tiers.amount
from fees
inner join tiers
    on fees.fee_id = tiers.fee_id
