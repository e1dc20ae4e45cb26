select
    landing_batches.batch_id,
    landing_batches.landed_at,
    landing_batches.book,
    landing_batches.book_version
from {{ source('raw', 'landing_batches') }} as landing_batches
