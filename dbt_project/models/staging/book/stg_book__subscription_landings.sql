{# The same source as stg_book__subscriptions, of which that model keeps only the newest version. #}
select
    subscriptions.organization_id,
    subscriptions.external_subscription_id,
    subscriptions.created_at,
    subscriptions.batch_id
from {{ source('raw', 'subscriptions') }} as subscriptions
