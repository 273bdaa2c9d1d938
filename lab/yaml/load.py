"""YAML files into the types they are written for; all that is wrong is told at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lab.names import did_you_mean, quote
from lab.urls import without_password
from lab.yaml.model import BASE
from lab.yaml.problems import BadFiles, Problem
from lab.yaml.tree import Loc, Tree, dotted, read_tree

M = TypeVar("M", bound=BaseModel)

WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "path_type": "a path",
}


def load_yaml(path: Path, model: type[M], *, context: Mapping[str, object] | None = None) -> M:
    """The file at PATH as a MODEL; BadFiles with every problem in it."""
    loaded, problems = examine(read_tree(path), model, context=context)
    if loaded is None:
        raise BadFiles(problems)
    return loaded


def examine(
    tree: Tree, model: type[M], *, context: Mapping[str, object] | None = None
) -> tuple[M | None, tuple[Problem, ...]]:
    """A MODEL, or None and why TREE is none. CONTEXT goes to the validators."""
    if tree.problems and tree.value is None:
        return None, tuple(tree.problems)
    value = {} if tree.value is None else tree.value
    try:
        loaded = model.model_validate_json(
            # From JSON, since strict pydantic takes no list for a tuple and no text for a path.
            json.dumps(value),
            context={BASE: tree.path.absolute().parent, **(context or {})},
            by_alias=True,
            by_name=False,
        )
    except ValidationError as error:
        found = [_told(tree, model, one) for one in error.errors(include_url=False)]
        return None, (*tree.problems, *found)
    return (None if tree.problems else loaded), tuple(tree.problems)


def _told(tree: Tree, model: type[BaseModel], error: ErrorDetails) -> Problem:
    loc = _written(tree, _as_keys(tree, model, error["loc"]))
    text = _text(model, error, loc)
    return tree.problem(loc, f"{dotted(loc)}: {text}" if loc else text)


def _as_keys(tree: Tree, model: type[BaseModel], loc: Loc) -> Loc:
    """LOC, also where a default is wrong: pydantic calls that by the field's own name."""
    if not loc or loc[:1] in tree.lines:
        return loc
    field = model.model_fields.get(str(loc[0]))
    return (field.alias, *loc[1:]) if field and field.alias else loc


def _written(tree: Tree, loc: Loc) -> Loc:
    """LOC without what pydantic adds: the tag of a union, `[key]` of a mapping."""
    written: Loc = ()
    for part in loc:
        longer = (*written, part)
        if longer in tree.lines or part == loc[-1]:
            written = longer
    return written


def _text(model: type[BaseModel], error: ErrorDetails, loc: Loc) -> str:
    kind, given = error["type"], error["input"]
    instead = f", not {_shown(given)}"
    if kind in WANTED:
        return f"must be {WANTED[kind]}{instead}{_trap(kind, given)}"
    match kind:
        case "extra_forbidden":
            text = "unknown key" + did_you_mean(str(loc[-1]), _keys_around(model, error["loc"]))
        case "literal_error" | "enum":
            text = f"must be {error['ctx']['expected']}{instead}{_meant(error)}"
        case "union_tag_invalid":
            text = f"kind must be one of {error['ctx']['expected_tags']}"
        case "union_tag_not_found":
            text = "kind is missing"
        case "missing":
            text = "missing"
        case "refused":
            # A mapping as a whole was given what its text says, not something "instead".
            found = "" if isinstance(given, dict) else instead
            text = error["msg"] + found + error["ctx"]["hint"]
        case _:
            text = error["msg"][:1].lower() + error["msg"][1:]
    return text


def _trap(kind: str, given: object) -> str:
    """The way out where YAML read the value as something else than was meant."""
    if kind == "string_type" and isinstance(given, bool | int):
        return f'; write "{json.dumps(given)}", in quotes'
    if kind == "bool_type" and given in ("on", "off", "yes", "no"):
        return f"; write {'true' if given in ('on', 'yes') else 'false'}"
    return ""


def _shown(given: object) -> str:
    if isinstance(given, str):
        return quote(without_password(given))
    if isinstance(given, list):
        return "a list"
    if isinstance(given, dict):
        return "a mapping"
    return "nothing" if given is None else json.dumps(given)


def _meant(error: ErrorDetails) -> str:
    words = [
        word.strip("' ")
        for part in error["ctx"]["expected"].split(",")
        for word in part.split(" or ")
    ]
    return did_you_mean(str(error["input"]), words)


def _keys_around(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that are known where LOC's last part is not."""
    here: Any = model
    for part in loc[:-1]:
        here = _below(here, part)
    fields = _fields(here)
    return [field.alias or name for name, field in fields.items()]


def _below(kind: Any, part: str | int) -> Any:
    for name, field in _fields(kind).items():
        if part in (name, field.alias):
            return field.annotation
    for inner in _alternatives(kind):
        # The tag of a union: the alternative whose `kind` is that very word.
        tag = _fields(inner).get("kind")
        if tag is not None and part in get_args(tag.annotation):
            return inner
    return next((inner for inner in _alternatives(kind) if _fields(inner)), None)


def _alternatives(kind: Any) -> list[Any]:
    """The types inside a union, an Annotated, a tuple or a mapping, at any depth."""
    found = []
    for inner in get_args(kind):
        found += [inner, *_alternatives(inner)]
    return found


def _fields(kind: Any) -> dict[str, Any]:
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return dict(kind.model_fields) if is_model else {}
