-- The lines of this landing that share an event, in order; few, so that only they are ranked.
create temp table landing_ranked as
select
    incoming.*,
    row_number() over (
        partition by
            incoming.organization_id, incoming.external_subscription_id, incoming.transaction_id
        order by incoming.file_id, incoming.line_number
    ) as occurrence
from landing_incoming as incoming
inner join (
    select key_hash from landing_incoming group by key_hash having count(*) > 1
) as repeated on incoming.key_hash = repeated.key_hash
where not exists (
    select 1 from landing_repeats as known
    where known.file_id = incoming.file_id and known.line_number = incoming.line_number
);

analyze landing_ranked
