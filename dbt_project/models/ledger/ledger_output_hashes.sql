with

row_hashes as (

    select * from {{ ref('ledger_row_hashes') }}
    where {{ is_close_open('close_id') }}

)

select
    row_hashes.close_id,
    row_hashes.organization_id,
    row_hashes.table_name,
    count(*) as rows_count,
    {{ sha256_text(
        "string_agg(row_hashes.row_hash, '' order by " ~ binary_order('row_hashes.row_hash') ~ ")"
    ) }} as output_hash
from row_hashes
group by row_hashes.close_id, row_hashes.organization_id, row_hashes.table_name
