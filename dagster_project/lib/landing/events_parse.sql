-- Lines of events to typed rows; a line about which anything is in doubt keeps its text, for the judge.
-- A line comes as file_id, line_number, default_organization_id, line, raw (its text in the source, if that is another), problem.
with located as (
    select
        file_id,
        line_number,
        line,
        raw,
        problem,
        default_organization_id,
        problem is null and json_valid(line) as is_json
    from {{ lines }}
),
fields as (
    select
        *,
        unnest(json_transform(
            case when is_json then line end,
            '{"organization_id": "VARCHAR", "transaction_id": "VARCHAR", "external_subscription_id": "VARCHAR", "code": "VARCHAR", "timestamp": "VARCHAR", "received_at": "VARCHAR", "properties": "JSON", "precise_total_amount_cents": "VARCHAR"}'
        ))
    from located
),
typed as (
    select
        *,
        coalesce(organization_id, default_organization_id) as organization,
        coalesce(properties::varchar, '{}') as property_text,
        json_keys(properties) as property_names,
        line = landing_plain_line(transaction_id, external_subscription_id, code, "timestamp", concat(properties::varchar, e'}\n')) as is_plain,
        landing_instant("timestamp") as event_at,
        landing_instant(received_at) as received_instant,
        try_cast(precise_total_amount_cents as decimal(38, 12)) as amount
    from fields
),
judged as (
    select
        *,
        -- as the condition of a case, what comes after a failed test is not evaluated
        case when
            (
                is_plain
                -- or the same with a number in another form than the one that is kept
                or is_json
                and starts_with(line, landing_plain_line(transaction_id, external_subscription_id, code, "timestamp", '{'))
                and organization_id is null
                and received_at is null
                and precise_total_amount_cents is null
                and len(json_keys(line)) = 5
                and not landing_has_stray_comma(line)
                and landing_has_plain_numbers(line)
            )
            and strlen(line) <= 1000
            and event_at is not null
            and transaction_id <> ''
            and external_subscription_id <> ''
            and code <> ''
            and list_contains(getvariable('landing_organizations'), organization)
            and landing_is_moment("timestamp", event_at)
            and starts_with(property_text, '{')
            and landing_has_once(property_names)
            and landing_is_shallow(property_text)
            and not contains(property_text, '\u0000')
            and landing_has_short_numbers(property_text)
            then false
        when
            is_json
            and event_at is not null
            and transaction_id <> ''
            and external_subscription_id <> ''
            and code <> ''
            and strlen(transaction_id) <= 1000
            and greatest(strlen(external_subscription_id), strlen(code)) <= 65536
            and list_contains(getvariable('landing_organizations'), organization)
            and (
                contains(line, property_text)
                and landing_is_compact(
                    line, transaction_id, external_subscription_id, code, "timestamp", properties::varchar,
                    organization_id, received_at, precise_total_amount_cents
                )
                or landing_has_known_keys(json_keys(line), [
                    organization_id, transaction_id, external_subscription_id, code, "timestamp", received_at,
                    properties::varchar, precise_total_amount_cents
                ])
                and not landing_has_stray_comma(line)
                and landing_is_name(transaction_id, line)
                and landing_is_name(external_subscription_id, line)
                and landing_is_name(code, line)
            )
            and landing_is_instant("timestamp", event_at, 'timestamp', line)
            and (received_at is null or landing_is_instant(received_at, received_instant, 'received_at', line))
            and (precise_total_amount_cents is null or landing_is_amount(precise_total_amount_cents, line))
            and starts_with(property_text, '{')
            and landing_has_once(property_names)
            and landing_is_shallow(property_text)
            and (not contains(line, '\') or not contains(line, '\u0000'))
            and (
                landing_has_short_numbers(property_text)
                or landing_has_plain_numbers(property_text)
                and not {{ too_long_quantity }}
            )
            and (
                contains(line, property_text)
                or contains(replace(line, ' ', ''), replace(property_text, ' ', ''))
                or landing_has_plain_numbers(line)
            )
            then false
            else true
        end as is_in_doubt
    from typed
)
select
    file_id,
    line_number,
    organization as organization_id,
    external_subscription_id,
    transaction_id,
    code,
    event_at,
    received_instant as received_at,
    property_text as properties,
    amount as precise_total_amount_cents,
    landing_key_hash(organization, external_subscription_id, transaction_id) as key_hash,
    {{ is_doubtful }} as is_doubtful,
    case when {{ is_doubtful }} or {{ is_kept }} then line end as line,
    case when {{ is_doubtful }} or {{ is_kept }} then raw end as raw,
    problem
from judged
