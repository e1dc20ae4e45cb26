select
    close_scope.close_id,
    close_scope.organization_id,
    close_scope.as_of,
    close_scope.known_batch_id,
    close_scope.started_at,
    close_scope.book_version,
    close_scope.code_version,
    close_scope.override_reason
from {{ source('raw', 'close_scope') }} as close_scope
