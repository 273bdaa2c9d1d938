"""What to build and why. Pure: from recipes and what LXD holds to a tuple of decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from images.build.recipe import Recipe, difference


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRecipes:
    """A template as its files describe it now."""

    template: str
    parent: str | None
    body: Recipe
    release: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The release a stable alias points at."""

    version: str
    recipe: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """What LXD holds: current releases by template, recipe ids of finished bodies by template."""

    releases: Mapping[str, Current]
    bodies: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    template: str
    version: str

    def __str__(self) -> str:
        return f"{self.template}: keep {self.version}, nothing changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Make a new release; with BODY its root file system too, else only the layers on it."""

    template: str
    reason: str
    body: bool

    def __str__(self) -> str:
        what = "" if self.body else " (its body is kept)"
        return f"{self.template}: build{what}, {self.reason}"


Decision = Keep | Build


def plan(
    wanted: Sequence[TemplateRecipes],
    held: Existing,
    *,
    selected: frozenset[str],
    force: bool = False,
) -> tuple[Decision, ...]:
    """Decide for SELECTED templates and those parents that they cannot be built without.

    WANTED comes parents first and holds every parent of a selected template.
    """
    by_name = {one.template: one for one in wanted}
    decisions: dict[str, Decision] = {}
    for one in wanted:
        if one.template in selected:
            decisions[one.template] = _decide(one, held, decisions, force=force)
    for one in reversed(wanted):
        decision = decisions.get(one.template)
        if isinstance(decision, Build) and decision.body and one.parent:
            _require_body(by_name[one.parent], one.template, held, decisions)
    return tuple(decisions[one.template] for one in wanted if one.template in decisions)


def _decide(
    one: TemplateRecipes, held: Existing, decisions: Mapping[str, Decision], *, force: bool
) -> Decision:
    current = held.releases.get(one.template)
    parent = decisions.get(one.parent or "")
    anew = isinstance(parent, Build) and parent.body
    if current is None:
        reason = "no release yet"
    elif anew:
        reason = f"{one.parent} is rebuilt"
    elif force:
        reason = "--force"
    elif current.recipe != one.release.id:
        reason = difference(current.inputs, one.release.inputs)
    else:
        return Keep(template=one.template, version=current.version)
    body = anew or force or held.bodies.get(one.template) != one.body.id
    return Build(template=one.template, reason=reason, body=body)


def _require_body(
    parent: TemplateRecipes, child: str, held: Existing, decisions: dict[str, Decision]
) -> None:
    decision = decisions.get(parent.template)
    if isinstance(decision, Build) and decision.body:
        return
    if held.bodies.get(parent.template) == parent.body.id:
        return
    reason = f"{child} needs its body, which is gone"
    if parent.template in held.bodies or decision is None:
        reason = f"{child} needs it with its current files"
    decisions[parent.template] = Build(template=parent.template, reason=reason, body=True)
