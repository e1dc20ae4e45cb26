-- The hashes of the ids of plain lines.
select landing_key_hash(organization_id, external_subscription_id, transaction_id) as key_hash from {{ lines }}
