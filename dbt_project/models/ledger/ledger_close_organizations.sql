with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

invoices as (

    select
        invoices.close_id,
        invoices.organization_id,
        count(*) as invoices_count
    from {{ ref('ledger_invoices') }} as invoices
    group by invoices.close_id, invoices.organization_id

)

select
    close_scope.close_id,
    close_scope.organization_id,
    close_scope.as_of,
    close_scope.known_batch_id,
    coalesce(invoices.invoices_count, 0) as invoices_count
from close_scope
left join invoices
    on
        close_scope.close_id = invoices.close_id
        and close_scope.organization_id = invoices.organization_id
