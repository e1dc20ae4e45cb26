"""The subcommands of `meterhouse`, one module each; heavy libraries are imported where they are used."""

import click

from dagster_project.command.audit import audit
from dagster_project.command.backfill import backfill
from dagster_project.command.close import close
from dagster_project.command.deliver import deliver
from dagster_project.command.dev import dev
from dagster_project.command.doctor import doctor
from dagster_project.command.explain import explain
from dagster_project.command.preview import preview
from dagster_project.command.render import render
from dagster_project.command.reproduce import reproduce
from dagster_project.command.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meterhouse")
def cli() -> None:
    """Usage-based billing that lives in the data warehouse."""


for command in (close, verify, explain, preview, audit, reproduce, backfill, render, deliver, dev, doctor):
    cli.add_command(command)
