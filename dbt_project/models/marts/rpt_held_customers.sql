with

findings as (

    select * from {{ ref('ledger_held_customers') }}

),

closes as (

    select * from {{ ref('fct_close') }}
    where is_newest

),

customers as (

    select * from {{ ref('dim_customer') }}

)

select
    findings.organization_id,
    findings.external_customer_id,
    findings.rule,
    findings.relation,
    findings.row_key,
    customers.customer_name,
    findings.detail,
    closes.as_of,
    findings.close_id
from findings
inner join closes
    on
        findings.close_id = closes.close_id
        and findings.organization_id = closes.organization_id
left join customers
    on
        findings.organization_id = customers.organization_id
        and findings.external_customer_id = customers.external_customer_id
