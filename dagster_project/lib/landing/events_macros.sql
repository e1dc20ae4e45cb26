-- What the bulk reading of events (DuckDB, whatever the warehouse is) asks of a line and its values. A text that json_transform
-- gave may have been a number, and a number has passed through a double: it is trusted only where the line shows it.
create or replace temp macro landing_is_name(name, line) as
    not regexp_full_match(name, '[-+0-9.eE]+|[{\[].*|true|false|-?[nN]a[nN]|-?[iI]nf.*')
    -- -0 is no 0
    or regexp_full_match(name, '[0-9]{2,18}|[1-9]')
    or contains(line, '"' || name || '"');

-- the line that most producers write: five fields in this order, without blanks. A line that is equal to it has no other field and
-- none twice, its names are texts without escapes, and its moment and properties are as they were taken.
create or replace temp macro landing_plain_line(transaction_id, external_subscription_id, code, moment, ending) as
    concat(
        '{"transaction_id":"', transaction_id, '","external_subscription_id":"', external_subscription_id, '","code":"', code,
        '","timestamp":', case when moment like '____-%' then '"' || moment || '"' else moment end,
        ',"properties":', ending
    );

-- a line that is exactly as long as its fields, written without blanks, their names and moments as texts: no field is unknown or
-- there twice. The properties must be as sent and the moment no number, so that nothing can make up for what a number lacks.
create or replace temp macro landing_is_compact(
    line, transaction_id, external_subscription_id, code, moment, properties, organization_id, received_at, amount
) as
    -- names, quotes, colons and commas around the values
    strlen(line) = 76
    + strlen(transaction_id)
    + strlen(external_subscription_id)
    + strlen(code)
    + strlen(moment)
    + coalesce(strlen(properties) + 14, 0)
    + coalesce(strlen(organization_id) + 21, 0)
    + coalesce(strlen(received_at) + 17, 0)
    + coalesce(strlen(amount) + 32, 0)
    + case
        when suffix(line, e'\r\n') then 2
        when suffix(line, e'\n') then 1
        else 0
    end
    and moment like '____-%'
    and (
        not contains(line, ' ')
        or contains(line, '"transaction_id":"')
        and contains(line, '"external_subscription_id":"')
        and contains(line, '"code":"')
    );

-- a line that has as many keys as known fields with a value has no other key, and none twice
create or replace temp macro landing_has_known_keys(names, fields) as
    len(names) = list_count(fields)
    or list_unique(names) = len(names)
    and list_has_all(
        ['organization_id', 'transaction_id', 'external_subscription_id', 'code', 'timestamp', 'received_at', 'properties', 'precise_total_amount_cents'],
        names
    );

-- the engine reads a comma before the end of an object or a list, which is no JSON; one in a text is left to the judge
create or replace temp macro landing_has_stray_comma(line) as
    regexp_matches(line, ',\s*[}\]]');

create or replace temp macro landing_is_epoch(moment) as
    regexp_full_match(moment, '[0-9]{1,10}(?:\.[0-9]{1,6})?');

-- what is finer than a microsecond is cut before the cast, which would round
create or replace temp macro landing_instant(moment) as
    case
        when moment like '____-__-__%' then make_timestamp(epoch_us(try_cast(
            case
                when strlen(moment) > 26 then regexp_replace(moment, '(\.[0-9]{6})[0-9]+', '\1')
                else moment
            end as timestamptz
        )))
        when landing_is_epoch(moment) then make_timestamp(
            (moment::decimal(16, 6)::decimal(28, 6) * 1000000)::bigint
        )
    end;

create or replace temp macro landing_is_in_range(instant) as
    instant >= timestamp '1970-01-01' and instant < timestamp '2200-01-01';

create or replace temp macro landing_is_civil(moment) as
    -- the cast has checked such a text, but for the hour 24, a blank before the hour, a point without digits, and names of zones,
    -- which follow a blank
    (moment like '____-__-__T__:__:__.%Z' or moment like '____-__-__T__:__:__Z')
    and not contains(moment, 'T24')
    and not contains(moment, ' ')
    and not contains(moment, '.Z')
    and moment[12] >= '0'
    or regexp_full_match(
        moment,
        '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])'
    );

-- the same for a moment that is known to be as it was written: what is no text is a number of seconds
create or replace temp macro landing_is_moment(moment, instant) as
    landing_is_in_range(instant) and (landing_is_civil(moment) or moment not like '____-__-__%');

create or replace temp macro landing_is_instant(moment, instant, field, line) as
    landing_is_in_range(instant)
    and (
        landing_is_civil(moment)
        or (
            landing_is_epoch(moment)
            and (
                contains(line, '"' || field || '":' || moment)
                or contains(line, '"' || field || '": ' || moment)
                or contains(line, '"' || moment || '"')
            )
        )
    );

create or replace temp macro landing_is_amount(amount, line) as
    regexp_full_match(amount, '-?[0-9]{1,15}(?:\.[0-9]{1,12})?')
    and (regexp_full_match(amount, '-?[0-9]{1,15}') or contains(line, '"' || amount || '"'));

create or replace temp macro landing_has_once(names) as
    case len(names)
        when 0 then true
        when 1 then true
        when 2 then list_position(names, names[2]) = 2
        when 3 then list_position(names, names[2]) = 2 and list_position(names, names[3]) = 3
        else list_unique(names) = len(names)
    end;

-- a JSON text whose numbers, as written, are what every engine writes again: up to 15 digits (whole: 18), no exponent, no -0;
-- what follows a number is part of its pattern, so that a longer one cannot pass in pieces
create or replace temp macro landing_has_plain_numbers(json_text) as
    regexp_full_match(
        json_text,
        '(?:[\s{}\[\]:,]|"(?:[^"\\]|\\.)*"|true|false|null|(?:0|-?[1-9][0-9]{0,17}|0\.0{1,8}|-?0\.0{0,5}[1-9][0-9]{0,9}|-?[1-9][0-9]{0,6}\.[0-9]{1,8}|-?[1-9][0-9]{7,10}\.[0-9]{1,4})[\s,}\]])*'
    );

-- the same without blanks, and with no more than 12 digits in a row, be it in a text
create or replace temp macro landing_has_short_numbers(json_text) as
    regexp_full_match(
        json_text,
        '(?:[{}\[\]:,]|"(?:[0-9]{0,12}(?:[^"\\0-9]|\\.))*[0-9]{0,12}"|true|false|null|(?:0|-?[1-9][0-9]{0,11}|0\.0{1,8}|-?0\.0{0,5}[1-9][0-9]{0,5}|-?[1-9][0-9]{0,6}\.[0-9]{1,8})[,}\]])*'
    );

create or replace temp macro landing_is_shallow(json_text) as
    strlen(json_text) <= 200
    or 2 * strlen(json_text) - strlen(replace(json_text, '[', '')) - strlen(replace(json_text, '{', '')) <= 100;

-- a value taken from a JSON line that is a number other than the line's: what a double cannot hold
create or replace temp macro landing_is_inexact(taken, line) as
    case
        when regexp_full_match(taken, '-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?')
            then not regexp_matches(line, '[^0-9.]' || regexp_escape(taken) || '0*(?:[^0-9.eE]|$)')
        when regexp_full_match(taken, '-?[nN]a[nN]|-?[iI]nf.*')
            then not contains(line, '"' || taken || '"')
        when starts_with(taken, '{') or starts_with(taken, '[')
            then not contains(replace(line, ' ', ''), replace(taken, ' ', ''))
        else false
    end;

-- of the id of an event: lines that differ in it have different ids. Versions of the engine may hash otherwise.
create or replace temp macro landing_key_hash(organization_id, external_subscription_id, transaction_id) as
    (hash(organization_id, external_subscription_id, transaction_id) >> 1)::bigint;

-- a property's text as a quantity: the rule of the macro parse_quantity of the models
create or replace temp macro landing_quantity(measured) as
    case when regexp_matches(measured, '^-?0*[0-9]{1,15}([.][0-9]{1,12}0*)?$') then measured::decimal(27, 12) end
