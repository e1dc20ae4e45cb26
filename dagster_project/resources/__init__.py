"""Resources that assets are given."""

from dagster_project.resources.meterhouse import MeterhouseResource

__all__ = ["MeterhouseResource"]
