-- Each line whose event was landed before, with that event.
select
    incoming.*,
    events.code as first_code,
    events.event_at as first_event_at,
    events.properties as first_properties,
    events.precise_total_amount_cents as first_amount
from landing_incoming as incoming
inner join {{ known }} as events
    on incoming.organization_id = events.organization_id
    and incoming.external_subscription_id = events.external_subscription_id
    and incoming.transaction_id = events.transaction_id
