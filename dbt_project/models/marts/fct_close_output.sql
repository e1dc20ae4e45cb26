select
    output_hashes.close_id,
    output_hashes.organization_id,
    output_hashes.table_name,
    output_hashes.rows_count,
    output_hashes.output_hash
from {{ ref('ledger_output_hashes') }} as output_hashes
inner join {{ ref('closes') }} as closes
    on output_hashes.close_id = closes.close_id
