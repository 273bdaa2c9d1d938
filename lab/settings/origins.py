"""Every setting with its value, and the line it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.settings.settings import Settings
from lab.urls import without_password
from lab.yaml.model import StrictModel
from lab.yaml.tree import Loc, Tree, dotted


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    key: str
    value: Any
    """As JSON has it, without passwords."""
    line: int | None
    """None for a default."""


def origins(settings: Settings, written: Tree) -> tuple[Origin, ...]:
    """Of SETTINGS, which were read from WRITTEN. A part that has defaults of its own, such as
    `driver:`, is told key by key."""
    values = settings.model_dump(mode="json", by_alias=True)
    return tuple(_below(Settings, values, (), written))


def _below(
    model: type[StrictModel], values: Mapping[str, Any], above: Loc, written: Tree
) -> Iterator[Origin]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        here = (*above, key)
        part = field.default_factory
        if isinstance(part, type) and issubclass(part, StrictModel):
            yield from _below(part, values[key], here, written)
        else:
            yield Origin(key=dotted(here), value=_shown(values[key]), line=written.lines.get(here))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return without_password(value)
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    return [_shown(one) for one in value] if isinstance(value, list) else value
