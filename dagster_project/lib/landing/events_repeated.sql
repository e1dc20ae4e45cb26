-- Each line whose event stands in an earlier line of this landing, and was not landed before, with the first such line.
select
    ranked.*,
    firsts.code as first_code,
    firsts.event_at as first_event_at,
    firsts.properties as first_properties,
    firsts.precise_total_amount_cents as first_amount
from landing_ranked as ranked
inner join landing_ranked as firsts
    on ranked.organization_id = firsts.organization_id
    and ranked.external_subscription_id = firsts.external_subscription_id
    and ranked.transaction_id = firsts.transaction_id
where firsts.occurrence = 1 and ranked.occurrence > 1
