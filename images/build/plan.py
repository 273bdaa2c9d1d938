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
    abstract: bool = False
    """It has a body, and never a release."""
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
    """Keep the current release, or, without a VERSION, the body of an abstract template."""

    template: str
    version: str | None

    def __str__(self) -> str:
        return f"{self.template}: keep {self.version or 'its body'}, nothing changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Make a new release; with BODY its root file system too, else only the layers on it.

    Of an abstract template the body alone: no RELEASE.
    """

    template: str
    reason: str
    body: bool
    release: bool = True

    def __str__(self) -> str:
        what = "" if self.body else " (its body is kept)"
        if not self.release:
            what = " its body"
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

    WANTED comes parents first and holds every parent of a selected template. Nobody selects an
    abstract one: it is selected with its children.
    """
    by_name = {one.template: one for one in wanted}
    decisions: dict[str, Decision] = {}
    for one in _chosen(wanted, selected):
        decide = _decide_body if one.abstract else _decide
        decision = decide(one, held, decisions, force=force)
        if decision is not None:
            decisions[one.template] = decision
    for one in reversed(wanted):
        decision = decisions.get(one.template)
        if isinstance(decision, Build) and decision.body and one.parent:
            _require_body(by_name[one.parent], one.template, held, decisions)
    return tuple(decisions[one.template] for one in wanted if one.template in decisions)


def _chosen(
    wanted: Sequence[TemplateRecipes], selected: frozenset[str]
) -> tuple[TemplateRecipes, ...]:
    abstract = {one.template for one in wanted if one.abstract}
    chosen = set(selected)
    for one in reversed(wanted):
        if one.template in chosen:
            chosen |= abstract & {one.parent}
    return tuple(one for one in wanted if one.template in chosen)


def _decide_body(
    one: TemplateRecipes, held: Existing, decisions: Mapping[str, Decision], *, force: bool
) -> Decision | None:
    """None for the body of an abstract template that is not there: nobody may need it."""
    if _is_anew(one.parent, decisions):
        reason = f"{one.parent} is rebuilt"
    elif force:
        reason = "--force"
    elif held.bodies.get(one.template) == one.body.id:
        return Keep(template=one.template, version=None)
    else:
        return None
    return Build(template=one.template, reason=reason, body=True, release=False)


def _decide(
    one: TemplateRecipes, held: Existing, decisions: Mapping[str, Decision], *, force: bool
) -> Decision:
    current = held.releases.get(one.template)
    anew = _is_anew(one.parent, decisions)
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


def _is_anew(parent: str | None, decisions: Mapping[str, Decision]) -> bool:
    decision = decisions.get(parent or "")
    return isinstance(decision, Build) and decision.body


def _require_body(
    parent: TemplateRecipes, child: str, held: Existing, decisions: dict[str, Decision]
) -> None:
    name = parent.template
    if _is_anew(name, decisions) or held.bodies.get(name) == parent.body.id:
        return
    reason = f"{child} needs its body, which no longer exists"
    if parent.abstract and name not in held.bodies:
        reason = f"{child} needs it"
    elif name in held.bodies or name not in decisions:
        reason = f"{child} needs it with its current files"
    decisions[name] = Build(template=name, reason=reason, body=True, release=not parent.abstract)
