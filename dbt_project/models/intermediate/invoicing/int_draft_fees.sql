{#
  What the lines of a draft came to when a credit note was asked for on it, by the keys of the period's own lines. Plan
  fees, fixed charges and what is paid in advance stay as they are when a draft is refreshed.
#}
with

noted_moments as (

    select * from {{ ref('int_restated_moments') }}
    where moment_state = 'noted'

),

usage_fees as (

    select * from {{ ref('int_fees_from_usage') }}
    where is_invoiceable

),

fees as (

    {% for source in ['usage_fees', ref('int_fees_from_true_ups'), ref('int_fees_from_commitments')] -%}
        select
            sources.moment_id,
            sources.fee_type,
            sources.fee_code,
            sources.filter_position,
            sources.group_values,
            sources.amount_cents
        from {{ source }} as sources
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

)

select
    noted_moments.organization_id,
    noted_moments.credit_note_code,
    noted_moments.period_moment_id,
    noted_moments.external_subscription_id,
    {{ period_fee_id('noted_moments.period_moment_id', 'fees') }} as fee_id,
    fees.fee_type,
    fees.fee_code,
    cast(fees.amount_cents as bigint) as amount_cents
from fees
inner join noted_moments
    on fees.moment_id = noted_moments.moment_id
