-- The JSON lines of a mapped source: the columns are taken from landing_json, which is valid for every row.
select
    line_number,
    line,
    problem,
    case when problem is null then line else '{}' end as landing_json
from (
    select
        line_number,
        line,
        case
            when problem is not null then problem
            when trim(line, e' \r\n\t') = '' then 'blank|'
            when not json_valid(line) then 'invalid_json|'
            when not landing_has_plain_numbers(line) then 'number_not_exact|' || {{ inexact }}
        end as problem
    from {stream}
)
