"""Landing: what organisations hand to billing, taken into the schema raw; nothing is lost, nothing taken twice."""

from dagster_project.lib.landing.events import LandedFile, land_events

__all__ = ["LandedFile", "land_events"]
