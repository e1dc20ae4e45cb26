-- The results that were computed one by one.
update landing_formula_results
set result = judged.result, reason = judged.reason
from landing_formula_values as judged
where landing_formula_results.file_id = judged.file_id
    and landing_formula_results.line_number = judged.line_number
    and landing_formula_results.billable_metric_code = judged.billable_metric_code
