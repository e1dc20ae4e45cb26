"""Everything that works without Dagster; the command and the assets call the same functions."""
