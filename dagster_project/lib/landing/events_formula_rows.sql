-- The parsed events that an expression is evaluated for, once for each metric that has it.
select
    parsed.file_id,
    parsed.line_number,
    formulas.billable_metric_code,
    formulas.field_name,
    parsed.code,
    epoch_us(parsed.event_at) // 1000000 as seconds
    {{ readings }}
from landing_parsed as parsed
inner join landing_formulas as formulas
    on parsed.organization_id = formulas.organization_id
    and parsed.code = formulas.code
    and parsed.event_at >= formulas.valid_from_at
    and (formulas.valid_to_at is null or parsed.event_at < formulas.valid_to_at)
where formulas.expression = $expression and not parsed.is_doubtful
