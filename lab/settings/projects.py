"""Rules for projects in the settings: labstamp removes everything in the build project."""

from __future__ import annotations

from pydantic import ValidationInfo

from lab.settings.source import FromInstance, Source
from lab.yaml.model import value_error


def of_its_own(value: str, info: ValidationInfo) -> str:
    """The build project's name, where users' containers are in another."""
    if value in {"default", info.data.get("project")}:
        raise value_error(
            "must be a project that holds nothing else",
            hint=": labstamp removes unfinished instances there. Users' containers are in "
            f"{'default' if value == 'default' else 'project:'}",
        )
    return value


def not_removed(value: Source, info: ValidationInfo) -> Source:
    """The source, where no build, failure or sweep removes it before it is copied."""
    project = info.data.get("build_project")
    if isinstance(value, FromInstance) and value.project == project:
        raise value_error(
            f"must not be in {project}, whose instances labstamp removes",
            hint=f": lxc --project {project} copy {value.name} my-{value.name} "
            "--target-project default, and name that copy",
        )
    return value
