with

fees as (

    select * from {{ ref('int_fees') }}
    where moment_state = 'due'

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

),

plan_taxes as (

    select * from {{ ref('stg_book__plan_taxes') }}

),

customer_taxes as (

    select * from {{ ref('stg_book__customer_taxes') }}

),

tax_versions as (

    select * from {{ ref('int_tax_versions') }}

),

placed as (

    select
        fees.fee_id,
        fees.organization_id,
        fees.external_customer_id,
        fees.fee_type,
        fees.fee_code,
        fees.amount_cents,
        scheduled.invoice_id,
        scheduled.billing_at,
        fees.plan_code,
        fees.plan_effective_at
    from fees
    inner join scheduled
        on fees.moment_id = scheduled.moment_id

),

{# the levels of semantics/invoice.md section 5: the first that names a tax gives all of the fee's taxes #}
offered as (

    select
        placed.fee_id,
        2 as tax_level,
        plan_taxes.tax_code
    from placed
    inner join plan_taxes
        on
            placed.organization_id = plan_taxes.organization_id
            and placed.plan_code = plan_taxes.plan_code
            and placed.plan_effective_at = plan_taxes.effective_at
            and placed.fee_type = plan_taxes.owner_type
            and placed.fee_code = plan_taxes.owner_code

    union all

    select
        placed.fee_id,
        3 as tax_level,
        plan_taxes.tax_code
    from placed
    inner join plan_taxes
        on
            placed.organization_id = plan_taxes.organization_id
            and placed.plan_code = plan_taxes.plan_code
            and placed.plan_effective_at = plan_taxes.effective_at
            and plan_taxes.owner_type = 'plan'

    union all

    select
        placed.fee_id,
        4 as tax_level,
        customer_taxes.tax_code
    from placed
    inner join customer_taxes
        on
            placed.organization_id = customer_taxes.organization_id
            and placed.external_customer_id = customer_taxes.external_customer_id

    union all

    select
        placed.fee_id,
        5 as tax_level,
        tax_versions.tax_code
    from placed
    inner join tax_versions
        on
            placed.organization_id = tax_versions.organization_id
            and placed.billing_at >= tax_versions.valid_from_at
            and placed.billing_at < tax_versions.valid_to_at
            and tax_versions.applied_to_organization

),

ranked as (

    select
        offered.fee_id,
        offered.tax_code,
        rank() over (partition by offered.fee_id order by offered.tax_level) as level_rank
    from offered

)

select
    placed.fee_id,
    placed.invoice_id,
    ranked.tax_code,
    tax_versions.tax_name,
    tax_versions.tax_rate,
    placed.amount_cents as taxable_amount_cents
from ranked
inner join placed
    on ranked.fee_id = placed.fee_id
left join tax_versions
    on
        placed.organization_id = tax_versions.organization_id
        and ranked.tax_code = tax_versions.tax_code
        and placed.billing_at >= tax_versions.valid_from_at
        and placed.billing_at < tax_versions.valid_to_at
where ranked.level_rank = 1
