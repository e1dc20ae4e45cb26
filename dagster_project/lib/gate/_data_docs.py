"""The Data Docs of a run: Great Expectations' static site, with pages of our own.

Its own pages load style sheets, scripts and an image from seven hosts: without a network they fall apart, and with one
they tell others when somebody reads about billing. The site builder takes other renderers and views by configuration;
these two write self-contained pages that speak of customers and invoices. They are named in the configuration below,
and called by the site builder.
"""

import logging
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dagster_project.lib.errors import BillingError

_SITE = "meterhouse"
_SUBJECTS = {
    "events_landed": "The events landed",
    "invoices_due": "The invoices about to be finalised",
}
_VERDICTS = {"blocks": "stops the close", "holds": "customers wait", "warns": "to be looked at"}


class ResultRenderer:
    """Turns the stored result of one suite into what its page shows."""

    def render(self, result: Any) -> dict[str, Any]:
        """The page's values: title, run, and the checks with their verdicts, failed ones first."""
        checks = [
            {
                **expectation.expectation_config.meta,
                "passed": bool(expectation.success),
                "description": expectation.expectation_config.description,
                "verdict": "passed" if expectation.success else _VERDICTS[expectation.expectation_config.meta["level"]],
            }
            for expectation in result.results
        ]
        return {
            "title": _SUBJECTS.get(result.suite_name, result.suite_name),
            "run_name": result.meta["run_id"]["run_name"],
            "checks": sorted(checks, key=lambda check: check["passed"]),
        }


class IndexRenderer:
    """Turns the list of results that the site builder found into what the first page shows."""

    def render(self, links: Mapping[str, Any]) -> dict[str, Any]:
        """The page's values: the run, and a link and verdict for each suite."""
        results = sorted(links["validations_links"], key=lambda link: str(link["expectation_suite_name"]))
        return {
            "run_name": results[0]["run_name"],
            "suites": [
                {
                    "title": _SUBJECTS.get(link["expectation_suite_name"], link["expectation_suite_name"]),
                    "path": link["filepath"],
                    "passed": link["validation_success"],
                }
                for link in results
            ],
        }


class _PageView:
    template: str

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        self._environment = Environment(
            loader=PackageLoader("dagster_project.lib.gate"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, page: Mapping[str, Any], **_: Any) -> str:
        """The page as HTML; everything that comes from data is escaped."""
        return self._environment.get_template(self.template).render(page)


class ResultView(_PageView):
    """The page of one suite."""

    template = "result.html.j2"


class IndexView(_PageView):
    """The first page."""

    template = "index.html.j2"


class _Failures(logging.Handler):
    """What the site builder tells of in place of raising it: pages that it could not write."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception that is being handled, without its traceback."""
        self.found.append(str(sys.exc_info()[1] or record.getMessage()))


def build_data_docs(context: Any, docs_dir: Path) -> Path:
    """Write the site of a context's results into `docs_dir`, replacing what is there; returns its first page.

    Raises BillingError when a page cannot be written.
    """
    shutil.rmtree(docs_dir, ignore_errors=True)
    context.add_data_docs_site(_SITE, _configuration(docs_dir))
    logger, failures = logging.getLogger("great_expectations.render.renderer.site_builder"), _Failures()
    logger.addHandler(failures)
    logger.propagate = False
    try:
        context.build_data_docs([_SITE])
    except OSError as error:
        failures.found.append(str(error))
    finally:
        logger.removeHandler(failures)
        logger.propagate = True
    if failures.found:
        raise BillingError(
            f"The pages about the checks could not be written into {docs_dir}: {failures.found[0]}. Nothing was finalised. "
            "See to it that the folder may be written and has room, and run the command again."
        )
    # four megabytes of fonts and pictures that these pages do not use
    shutil.rmtree(docs_dir / "static", ignore_errors=True)
    return docs_dir / "index.html"


def _configuration(docs_dir: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs_dir.resolve())},
        "site_index_builder": {
            "class_name": "DefaultSiteIndexBuilder",
            "renderer": {"module_name": __name__, "class_name": IndexRenderer.__name__},
            "view": {"module_name": __name__, "class_name": IndexView.__name__},
        },
        "site_section_builders": {
            "expectations": "none",
            "profiling": "none",
            "validations": {
                "renderer": {"module_name": __name__, "class_name": ResultRenderer.__name__},
                "view": {"module_name": __name__, "class_name": ResultView.__name__},
            },
        },
    }
