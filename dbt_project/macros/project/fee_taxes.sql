{#
  Which taxes each fee of the CTE `placed` has, as the CTEs that follow it and a last select: the levels of
  docs/billing-rules.md, Invoice, the first that names any. `placed` has fee_id, organization_id, external_customer_id,
  moment_id, fee_type, fee_code, fee_position, tax_owner_type and tax_owner_code (see fee_tax_owner), invoice_id,
  billing_at, issuing_date, plan_code and plan_effective_at; `one_offs` has moment_id and request_id.
#}
{% macro taxes_of_placed_fees() -%}
one_off_fee_taxes as (

    select * from {{ ref('stg_book__one_off_fee_taxes') }}

),

add_on_taxes as (

    select
        add_on_taxes.organization_id,
        add_on_taxes.add_on_code,
        add_on_taxes.tax_code,
        add_on_versions.valid_from_at,
        add_on_versions.valid_to_at
    from {{ ref('stg_book__add_on_taxes') }} as add_on_taxes
    inner join {{ ref('int_add_on_versions') }} as add_on_versions
        on
            add_on_taxes.organization_id = add_on_versions.organization_id
            and add_on_taxes.add_on_code = add_on_versions.add_on_code
            and add_on_taxes.effective_at = add_on_versions.effective_at

),

plan_taxes as (

    select * from {{ ref('stg_book__plan_taxes') }}

),

customer_taxes as (

    select * from {{ ref('stg_book__customer_taxes') }}

),

eu_taxes as (

    select * from {{ ref('int_eu_taxes') }}

),

tax_versions as (

    select * from {{ ref('int_tax_versions') }}

),

{# the levels of docs/billing-rules.md, Invoice: the first that names a tax gives all of the fee's taxes #}
offered as (

    select
        placed.fee_id,
        1 as tax_level,
        one_off_fee_taxes.tax_code
    from placed
    inner join one_offs
        on placed.moment_id = one_offs.moment_id
    inner join one_off_fee_taxes
        on
            placed.organization_id = one_off_fee_taxes.organization_id
            and one_offs.request_id = one_off_fee_taxes.one_off_invoice_id
            and placed.fee_position = one_off_fee_taxes.fee_position
    where placed.fee_type = 'add_on'

    union all

    select
        placed.fee_id,
        2 as tax_level,
        add_on_taxes.tax_code
    from placed
    inner join add_on_taxes
        on
            placed.organization_id = add_on_taxes.organization_id
            and placed.fee_code = add_on_taxes.add_on_code
            and placed.billing_at >= add_on_taxes.valid_from_at
            and placed.billing_at < add_on_taxes.valid_to_at
    where placed.fee_type = 'add_on'

    union all

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
            and placed.tax_owner_type = plan_taxes.owner_type
            and placed.tax_owner_code = coalesce(plan_taxes.owner_code, '')

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
        4 as tax_level,
        eu_taxes.tax_code
    from placed
    inner join eu_taxes
        on
            placed.organization_id = eu_taxes.organization_id
            and placed.external_customer_id = eu_taxes.external_customer_id
            and placed.issuing_date >= eu_taxes.valid_from_date
            and placed.issuing_date < eu_taxes.valid_to_date

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

{# a tax named twice on one level counts once #}
ranked as (

    select distinct
        offered.fee_id,
        offered.tax_level,
        offered.tax_code,
        min(offered.tax_level) over (partition by offered.fee_id) as first_level
    from offered

)

select
    placed.fee_id,
    placed.invoice_id,
    ranked.tax_code,
    coalesce(eu_taxes.tax_name, tax_versions.tax_name) as tax_name,
    coalesce(eu_taxes.tax_rate, tax_versions.tax_rate) as tax_rate
from ranked
inner join placed
    on ranked.fee_id = placed.fee_id
left join tax_versions
    on
        placed.organization_id = tax_versions.organization_id
        and ranked.tax_code = tax_versions.tax_code
        and placed.billing_at >= tax_versions.valid_from_at
        and placed.billing_at < tax_versions.valid_to_at
left join eu_taxes
    on
        ranked.tax_level = 4
        and placed.organization_id = eu_taxes.organization_id
        and placed.external_customer_id = eu_taxes.external_customer_id
        and ranked.tax_code = eu_taxes.tax_code
        and placed.issuing_date >= eu_taxes.valid_from_date
        and placed.issuing_date < eu_taxes.valid_to_date
where ranked.tax_level = ranked.first_level
{%- endmacro %}

{# what in the catalogue may name taxes for a fee of this type, and the code under which it does #}
{% macro fee_tax_owner(fees) -%}
    case
        when {{ fees }}.fee_type = 'adjustment' then {{ adjusted_type(fees) }}
        when {{ fees }}.fee_type in ('charge', 'true_up') then 'charge'
        when {{ fees }}.fee_type = 'fixed_charge' then 'fixed_charge'
        when {{ fees }}.fee_type = 'commitment' then 'minimum_commitment'
    end as tax_owner_type,
    case
        when
            {{ fees }}.fee_type in ('charge', 'true_up', 'fixed_charge')
            or ({{ fees }}.fee_type = 'adjustment' and {{ adjusted_type(fees) }} <> 'minimum_commitment')
            then {{ fees }}.fee_code
        else ''
    end as tax_owner_code
{%- endmacro %}

{# what an adjustment adjusts, by the place of that line on an invoice #}
{% macro adjusted_type(fees) -%}
    case
        when {{ fees }}.fee_position >= 2000000 then 'minimum_commitment'
        when {{ fees }}.fee_position >= 1000000 then 'fixed_charge'
        else 'charge'
    end
{%- endmacro %}
