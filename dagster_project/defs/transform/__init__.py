"""The dbt models: candidates, ledger, marts."""
