-- An event for which an expression fails is refused with the reason of the first such metric; the others get their values.
insert into landing_rejected (file_id, line_number, reason_code, reason, raw_text)
select
    parsed.file_id,
    parsed.line_number,
    'expression_failed' as reason_code,
    failed.reason,
    left(rtrim(coalesce(parsed.raw, parsed.line), e'\r\n'), {{ kept_characters }}) as raw_text
from landing_parsed as parsed
inner join (
    select file_id, line_number, min_by(reason, billable_metric_code) as reason
    from landing_formula_results
    where result is null
    group by file_id, line_number
) as failed
    on parsed.file_id = failed.file_id and parsed.line_number = failed.line_number;

delete from landing_parsed
using landing_formula_results as failed
where landing_parsed.file_id = failed.file_id
    and landing_parsed.line_number = failed.line_number
    and failed.result is null;

update landing_parsed
set properties = json_merge_patch(landing_parsed.properties, computed.patch)::varchar
from (
    select file_id, line_number, json_group_object(field_name, result) as patch
    from landing_formula_results
    where result is not null
    group by file_id, line_number
) as computed
where landing_parsed.file_id = computed.file_id and landing_parsed.line_number = computed.line_number;

drop table landing_formula_results;

drop table landing_formulas
