with

{# fees that are regrouped bring the taxes with which they were made #}
regrouped as (

    select * from {{ ref('int_fees_regrouped') }}

),

fees as (

    select fees.*
    from {{ ref('int_fees') }} as fees
    left join regrouped
        on fees.fee_id = regrouped.fee_id
    where fees.moment_state <> 'finalized' and fees.fee_type <> 'credit' and regrouped.fee_id is null

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

),

standalone_taxes as (

    select
        recorded.fee_id,
        recorded.tax_code,
        recorded.tax_name,
        recorded.tax_rate
    from {{ ref('stg_ledger__standalone_fee_taxes') }} as recorded

    union all

    select
        made.fee_id,
        made.tax_code,
        made.tax_name,
        made.tax_rate
    from {{ ref('int_standalone_fee_taxes') }} as made

),

placed as (

    select
        fees.fee_id,
        fees.organization_id,
        scheduled.external_customer_id,
        fees.moment_id,
        fees.fee_type,
        fees.fee_code,
        fees.fee_position,
        {{ fee_tax_owner('fees') }},
        scheduled.invoice_id,
        scheduled.billing_at,
        scheduled.issuing_date,
        fees.plan_code,
        fees.plan_effective_at
    from fees
    inner join scheduled
        on fees.moment_id = scheduled.moment_id

),

one_offs as (

    select
        one_offs.moment_id,
        one_offs.request_id
    from {{ ref('int_one_off_moments') }} as one_offs

    union all

    select
        regenerated.moment_id,
        regenerated.request_id
    from {{ ref('int_regenerated_moments') }} as regenerated
    where regenerated.invoice_type = 'one_off'

),

{{ taxes_of_placed_fees() }}

union all

select
    regrouped.fee_id,
    scheduled.invoice_id,
    standalone_taxes.tax_code,
    standalone_taxes.tax_name,
    standalone_taxes.tax_rate
from regrouped
inner join scheduled
    on regrouped.moment_id = scheduled.moment_id
inner join standalone_taxes
    on regrouped.fee_id = standalone_taxes.fee_id
