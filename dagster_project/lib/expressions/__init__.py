"""The expressions that a catalogue may hold: small closed grammars, never text for an engine."""

from dagster_project.lib.expressions._aggregator import Program, Step, check_aggregate, parse_aggregator
from dagster_project.lib.expressions._evaluate import EvaluationError, evaluate
from dagster_project.lib.expressions._formula import Formula, parse_formula
from dagster_project.lib.expressions._formula_sql import MACROS, FormulaSql
from dagster_project.lib.expressions._tokens import ExpressionError

__all__ = [
    "MACROS",
    "EvaluationError",
    "ExpressionError",
    "Formula",
    "FormulaSql",
    "Program",
    "Step",
    "check_aggregate",
    "evaluate",
    "parse_aggregator",
    "parse_formula",
]
