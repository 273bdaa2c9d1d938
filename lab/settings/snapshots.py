"""`snapshots:` in lab.yaml: how often snapshots are taken by themselves, and how many stay."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from lab.yaml.model import StrictModel, Word, value_error

MOST: Final = 100
"""LXD gets slow with a thousand of them, and there are many people."""


class Every(str, Enum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    NEVER = "never"


def _every(value: object) -> object:
    known = [one.value for one in Every]
    if isinstance(value, Every):
        return value
    if value not in known:
        raise value_error(f"must be one of {', '.join(known)}")
    return Every(value)


def _keep(value: int) -> int:
    if not 1 <= value <= MOST:
        raise value_error(f"must be a number from 1 to {MOST}")
    return value


EveryWord = Annotated[Every, BeforeValidator(_every)]
Keep = Annotated[int, AfterValidator(_keep)]


class TemplateSnapshots(StrictModel):
    """Of the containers of one template; None: as of all."""

    every: EveryWord | None = None
    keep: Keep | None = None


class SnapshotSettings(StrictModel):
    """What a container gets that has no schedule of its own."""

    every: EveryWord = Every.NEVER
    keep: Keep = 7
    """How many of those that were taken by themselves stay; those by hand all do."""
    templates: Mapping[Word, TemplateSnapshots] = Field(default_factory=dict)
    """By the template's full name."""

    def every_of(self, template: str) -> Every:
        own = self.templates.get(template)
        return (own and own.every) or self.every

    def keep_of(self, template: str) -> int:
        own = self.templates.get(template)
        return (own and own.keep) or self.keep

    def says(self, template: str) -> bool:
        """Whether the template has something of its own."""
        return template in self.templates
