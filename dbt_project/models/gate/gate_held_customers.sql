{# A finding of a parent or of one of its children holds all of them: they share their invoices. #}
with

findings as (

    select * from {{ ref('gate_findings') }}

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

families as (

    select
        findings.organization_id,
        coalesce(customers.payer_external_customer_id, findings.external_customer_id) as payer_external_customer_id,
        count(*) as findings_count,
        min(findings.rule) as first_rule
    from findings
    left join customers
        on
            findings.organization_id = customers.organization_id
            and findings.external_customer_id = customers.external_customer_id
    group by
        findings.organization_id,
        coalesce(customers.payer_external_customer_id, findings.external_customer_id)

)

select
    families.organization_id,
    coalesce(customers.external_customer_id, families.payer_external_customer_id) as external_customer_id,
    families.findings_count,
    families.first_rule
from families
left join customers
    on
        families.organization_id = customers.organization_id
        and families.payer_external_customer_id = customers.payer_external_customer_id
