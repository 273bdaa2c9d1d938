"""`limits:` in lab.yaml: what a container may use at most where its request says nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from lab.errors import InputError
from lab.sizes import parse_size
from lab.yaml.model import StrictModel, Word, value_error

NONE: Final = "none"
_SHARE: Final = re.compile(r"([1-9][0-9]?|100)%", re.ASCII)
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_LEAST_PROCESSES: Final = 500
"""A desktop with a browser, each thread counted."""


def _memory(value: object) -> object:
    if not isinstance(value, str):
        raise value_error("must be a share such as 50%, a size such as 64GiB, or none")
    if value == NONE or _SHARE.fullmatch(value):
        return value
    try:
        parse_size(value)
    except InputError:
        raise value_error("must be a share such as 50%, a size such as 64GiB, or none") from None
    return value


def _processes(value: object) -> object:
    if value == NONE:
        return value
    if not isinstance(value, int) or isinstance(value, bool) or value < _LEAST_PROCESSES:
        raise value_error(f"must be a number, {_LEAST_PROCESSES} or more, or none")
    return str(value)


Memory = Annotated[str, BeforeValidator(_memory)]
Processes = Annotated[str, BeforeValidator(_processes)]


class TemplateLimits(StrictModel):
    """Of the containers of one template; None: as of all."""

    memory: Memory | None = None
    processes: Processes | None = None


class LimitSettings(StrictModel):
    """What one container may take, so that the host and its neighbours keep something."""

    memory: Memory = "50%"
    """Of the host's, or a size: what a hog leaves for all others."""
    processes: Processes = "20000"
    """With threads, as the kernel counts. systemd gives a third of it to each account."""
    templates: Mapping[Word, TemplateLimits] = Field(default_factory=dict)
    """By the template's full name."""

    def memory_of(self, template: str) -> str:
        own = self.templates.get(template)
        return (own and own.memory) or self.memory

    def processes_of(self, template: str) -> str:
        own = self.templates.get(template)
        return (own and own.processes) or self.processes

    def says(self, template: str, key: str) -> bool:
        """Whether somebody wrote KEY for TEMPLATE, or for all."""
        own = self.templates.get(template)
        return key in self.model_fields_set or bool(own and key in own.model_fields_set)


def share_of(memory: str, total: int) -> int | None:
    """The bytes of `50%` of TOTAL, a round number of them; None where MEMORY is no share."""
    found = _SHARE.fullmatch(memory)
    if found is None:
        return None
    share = total * int(found[1]) // 100
    unit = _GIB if share >= 4 * _GIB else _MIB
    return share // unit * unit
