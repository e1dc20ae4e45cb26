with

fees as (

    select * from {{ ref('ledger_standalone_fees') }}
    where {{ is_close_open('close_id') }}

),

taxes as (

    select * from {{ ref('int_standalone_fee_taxes') }}

)

select
    fees.close_id,
    taxes.fee_id,
    fees.organization_id,
    taxes.tax_code,
    taxes.tax_name,
    taxes.tax_rate
from fees
inner join taxes
    on fees.fee_id = taxes.fee_id
