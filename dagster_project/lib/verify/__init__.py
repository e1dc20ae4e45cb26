"""Billing cases: small books with the result that they must give, run all at once and compared."""

from dagster_project.lib.verify._compare import Difference
from dagster_project.lib.verify._run import CaseResult, VerifyRequest, verify_cases

__all__ = ["CaseResult", "Difference", "VerifyRequest", "verify_cases"]
