with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

findings as (

    select * from {{ ref('gate_findings') }}

)

select
    close_scope.close_id,
    findings.organization_id,
    findings.external_customer_id,
    findings.rule,
    findings.relation,
    findings.row_key,
    findings.detail
from findings
inner join close_scope
    on findings.organization_id = close_scope.organization_id
where {{ is_close_open('close_scope.close_id') }}
