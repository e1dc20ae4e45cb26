{#
  The moment that a moment made anew goes back to: the one that was billed first, however often its invoice was voided and
  made anew since.
#}
with recursive

steps as (

    select
        {{ surrogate_key(['voids.regenerated_invoice_id', 'ledger_moments.moment_id']) }} as moment_id,
        voids.regenerated_invoice_id as invoice_id,
        ledger_moments.moment_id as voided_moment_id
    from {{ ref('stg_ledger__invoice_voids') }} as voids
    inner join {{ ref('stg_ledger__moments') }} as ledger_moments
        on voids.invoice_id = ledger_moments.invoice_id
    where voids.regenerated_invoice_id is not null

    union all

    select
        regenerated.moment_id,
        regenerated.invoice_id,
        regenerated.voided_moment_id
    from {{ ref('int_regenerated_moments') }} as regenerated

),

origins as (

    select
        steps.moment_id,
        steps.invoice_id,
        steps.voided_moment_id as origin_moment_id
    from steps

    union all

    select
        origins.moment_id,
        origins.invoice_id,
        steps.voided_moment_id as origin_moment_id
    from origins
    inner join steps
        on origins.origin_moment_id = steps.moment_id

)

select
    origins.moment_id,
    origins.invoice_id,
    origins.origin_moment_id
from origins
where origins.origin_moment_id not in (select steps.moment_id from steps)
