"""Reading `endpoints.yaml`: who is told what."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import Endpoint
from dagster_project.lib.webhooks._gate import split_url
from dagster_project.lib.webhooks._signing import signing_key


def load_endpoints(path: Path, *, environ: Mapping[str, str] | None = None) -> list[Endpoint]:
    """Read a list of endpoints from a YAML file.

    Each has an `id`, a `url`, and either `secrets` (a list of `whsec_...`) or `secret_env` (the
    name of an environment variable that holds them, separated by spaces); `types` (default: all)
    and `organization_id` (default: all) narrow what it gets. Raises InputError that lists every
    problem of the file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The endpoints file {path} can not be read: {error}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"The endpoints file {path} is not valid YAML{_line(error)}.") from None
    try:
        listed = _EndpointsFile.model_validate(
            [] if content is None else content,
            context={"environ": os.environ if environ is None else environ},
        ).root
    except ValidationError as error:
        problems = "; ".join(
            f"{_place(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise InputError(f"The endpoints file {path} is wrong: {problems}.") from error
    return [
        Endpoint(
            endpoint_id=entry.id,
            url=entry.url,
            secrets=tuple(entry.secrets),
            types=tuple(entry.types),
            organization_id=entry.organization_id,
        )
        for entry in listed
    ]


def _checked_url(url: str) -> str:
    try:
        split_url(url)
    except InputError as error:
        raise ValueError(str(error).removesuffix(".")) from error
    return url


class _EndpointEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    url: Annotated[str, AfterValidator(_checked_url)]
    secrets: list[str] = []
    secret_env: str | None = None
    types: list[Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]] = []
    organization_id: str | None = None

    @model_validator(mode="after")
    def _take_secrets(self, info: ValidationInfo) -> Self:
        if bool(self.secrets) == bool(self.secret_env):
            raise ValueError("give either secrets or secret_env")
        if self.secret_env:
            environ: Mapping[str, str] = (info.context or {})["environ"]
            self.secrets = environ.get(self.secret_env, "").split()
            if not self.secrets:
                raise ValueError(f"the environment variable {self.secret_env} is not set")
        for secret in self.secrets:
            try:
                signing_key(secret)
            except InputError as error:
                raise ValueError(str(error).removesuffix(".")) from None
        return self


class _EndpointsFile(RootModel[list[_EndpointEntry]]):
    @model_validator(mode="after")
    def _refuse_the_same_id_twice(self) -> Self:
        ids = [entry.id for entry in self.root]
        if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"the id {twice[0]} is listed twice")
        return self


def _place(location: tuple[int | str, ...]) -> str:
    """Say where in the file, counting entries from 1 as a reader does."""
    if not location:
        return "the list"
    first, *rest = location
    entry = f"entry {first + 1}" if isinstance(first, int) else first
    return ", ".join([entry, *map(str, rest)])


def _line(error: yaml.YAMLError) -> str:
    """Say in which line; the text of the error would show what stands there, secrets included."""
    mark: Any = getattr(error, "problem_mark", None)
    return f": {getattr(error, 'problem', '')} in line {mark.line + 1}" if mark else ""
