-- What was parsed into the schema raw; landing_repeats says which lines are not the first of their event.
insert into {{ raw }}.usage_events (
    organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties,
    precise_total_amount_cents, key_hash, layout_id, quantity, item, is_remove, facets, batch_id, file_id, line_number
)
select
    organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties,
    precise_total_amount_cents, key_hash, layout_id, quantity, item, is_remove, facets,
    {{ batch_id }}, file_id, line_number
from {{ extracted }} as incoming
where not exists (
    select 1 from landing_repeats as repeats
    where repeats.file_id = incoming.file_id and repeats.line_number = incoming.line_number
);

insert into {{ raw }}.duplicate_events (
    organization_id, external_subscription_id, transaction_id, batch_id, file_id, line_number
)
select
    incoming.organization_id, incoming.external_subscription_id, incoming.transaction_id,
    {{ batch_id }}, incoming.file_id, incoming.line_number
from landing_incoming as incoming
inner join landing_repeats as repeats
    on incoming.file_id = repeats.file_id and incoming.line_number = repeats.line_number
where repeats.is_same and incoming.file_id not in ({{ relations }});

insert into {{ raw }}.conflicting_events (
    organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties,
    precise_total_amount_cents, batch_id, file_id, line_number
)
select
    incoming.organization_id, incoming.external_subscription_id, incoming.transaction_id, incoming.code,
    incoming.event_at, incoming.received_at, incoming.properties, incoming.precise_total_amount_cents,
    {{ batch_id }}, incoming.file_id, incoming.line_number
from landing_incoming as incoming
inner join landing_repeats as repeats
    on incoming.file_id = repeats.file_id and incoming.line_number = repeats.line_number
where not repeats.is_same
    -- a relation is read again at every close: what was reported stays reported once
    and not (
        incoming.file_id in ({{ relations }})
        and exists (
            select 1 from {{ raw }}.conflicting_events as reported
            where reported.organization_id = incoming.organization_id
                and reported.external_subscription_id = incoming.external_subscription_id
                and reported.transaction_id = incoming.transaction_id
                and reported.code = incoming.code
                and reported.event_at = incoming.event_at
                and reported.properties = incoming.properties
                and reported.precise_total_amount_cents is not distinct from incoming.precise_total_amount_cents
        )
    );

insert into {{ raw }}.quarantined_events (
    batch_id, file_id, line_number, reason_code, reason, raw_text
)
select {{ batch_id }}, file_id, line_number, reason_code, reason, raw_text
from landing_rejected as rejected
where not (
    rejected.file_id in ({{ relations }})
    and exists (
        select 1 from {{ raw }}.quarantined_events as reported
        where reported.raw_text = rejected.raw_text and reported.reason_code = rejected.reason_code
    )
)
