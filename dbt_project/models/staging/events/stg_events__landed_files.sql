select
    landed_files.file_id,
    landed_files.batch_id,
    landed_files.file_path,
    landed_files.file_sha256,
    landed_files.file_bytes,
    landed_files.file_format,
    landed_files.lines_count,
    landed_files.landed_count,
    landed_files.duplicates_count,
    landed_files.conflicts_count,
    landed_files.rejected_count,
    landed_files.landed_at
from {{ source('raw', 'landed_files') }} as landed_files
