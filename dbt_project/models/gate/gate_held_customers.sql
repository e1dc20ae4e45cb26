with

findings as (

    select * from {{ ref('gate_findings') }}

)

select
    findings.organization_id,
    findings.external_customer_id,
    count(*) as findings_count,
    min(findings.rule) as first_rule
from findings
group by findings.organization_id, findings.external_customer_id
