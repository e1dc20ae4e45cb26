-- What the metrics' expressions give: a result, or the reason why there is none.
create or replace temp table landing_formula_results (
    file_id bigint,
    line_number bigint,
    billable_metric_code varchar,
    field_name varchar,
    result varchar,
    reason varchar
)
