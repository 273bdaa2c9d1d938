"""YAML files into the types they are written for; all that is wrong is told at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

_KEY: Final = "[key]"
"""What pydantic calls the key of a mapping, where that is wrong."""
_MOST: Final = 100
"""Problems of one file that are told."""

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
    return load_tree(read_tree(path), model, context=context)


def load_tree(tree: Tree, model: type[M], *, context: Mapping[str, object] | None = None) -> M:
    """The same of a file that was read."""
    loaded, problems = examine(tree, model, context=context)
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
        errors = [
            one
            for one in error.errors(include_url=False)
            # Of a default that follows another value: that one is wrong, and told.
            if one["type"] != "default_factory_not_called"
        ]
        found = [_told(tree, model, one) for one in errors[:_MOST]]
        if len(errors) > _MOST:
            line = max(one.line or 0 for one in found)
            more = f"… and {len(errors) - _MOST} more problems"
            found.append(Problem(path=tree.path, line=line, text=more))
        return None, (*tree.problems[:_MOST], *found)
    return (None if tree.problems else loaded), tuple(tree.problems)


def _told(tree: Tree, model: type[BaseModel], error: ErrorDetails) -> Problem:
    loc = _written(tree, model, _as_keys(tree, model, error["loc"]))
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        # pydantic names the mapping, and its key apart, in quotes.
        loc = (*loc, error["ctx"]["discriminator"].strip("'"))
    text = _text(model, error)
    return tree.problem(loc, f"{dotted(loc)}: {text}" if loc else text)


def _as_keys(tree: Tree, model: type[BaseModel], loc: Loc) -> Loc:
    """LOC, also where a default is wrong: pydantic calls that by the field's own name."""
    if not loc or loc[:1] in tree.lines:
        return loc
    field = model.model_fields.get(str(loc[0]))
    return (field.alias, *loc[1:]) if field and field.alias else loc


def _written(tree: Tree, model: type[BaseModel], loc: Loc) -> Loc:
    """LOC without what pydantic adds: the tag of a union, `[key]` of a mapping."""
    written: Loc = ()
    here: Any = model
    for number, part in enumerate(loc, start=1):
        longer = (*written, part)
        if part == _KEY and longer not in tree.lines:
            continue
        # A tag may be the name of a key, too: checks of kind `port` have a `port`.
        if part not in _tagged(here) and (longer in tree.lines or number == len(loc)):
            written = longer
        here = _below(here, part)
    return written


def _text(model: type[BaseModel], error: ErrorDetails) -> str:
    kind, given = error["type"], error["input"]
    instead = f", not {_shown(given)}"
    if kind in WANTED:
        return f"must be {WANTED[kind]}{instead}{_trap(kind, given)}"
    match kind:
        case "extra_forbidden":
            text = _unknown_key(model, error["loc"])
        case "literal_error" | "enum":
            text = _not_one_of(error["ctx"]["expected"], given)
        case "union_tag_invalid":
            words = " or ".join(error["ctx"]["expected_tags"].rsplit(", ", 1))
            text = _not_one_of(words, error["ctx"]["tag"])
        case "union_tag_not_found":
            text = "missing"
        case "missing":
            text = "missing" + _needed_by(model, error["loc"])
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
        return "a list" if given else "an empty list"
    if isinstance(given, dict):
        return "a mapping"
    return "nothing" if given is None else json.dumps(given)


def _not_one_of(expected: str, given: object) -> str:
    """EXPECTED as pydantic lists it: `'a', 'b' or 'c'`."""
    words = [word.strip("' ") for part in expected.split(",") for word in part.split(" or ")]
    return f"must be {expected}, not {_shown(given)}{did_you_mean(str(given), words)}"


def _unknown_key(model: type[BaseModel], loc: Loc) -> str:
    """That the key at LOC is unknown; where another kind of the same union has it, which."""
    kinds, tag, key = _union_at(model, loc)
    owners = [one for one, kind in kinds.items() if key in _keys(kind)]
    if tag in kinds and owners:
        return f"belongs to {_kinds(sorted(owners))}, not to {tag}"
    return "unknown key" + did_you_mean(key, _keys(_at(model, loc[:-1])))


def _needed_by(model: type[BaseModel], loc: Loc) -> str:
    """Which kind needs the key at LOC, where not all of its union do."""
    kinds, tag, key = _union_at(model, loc)
    if tag not in kinds or all(_keys(kind).get(key) for kind in kinds.values()):
        return ""
    return f"; {_kinds([tag])} needs it"


def _union_at(model: type[BaseModel], loc: Loc) -> tuple[dict[str, Any], str, str]:
    """The union that holds the key at LOC, by tag; the tag chosen there; the key."""
    tag = str(loc[-2]) if len(loc) > 1 else ""
    return _tagged(_at(model, loc[:-2])), tag, str(loc[-1])


def _kinds(tags: Sequence[str]) -> str:
    return f"kind{'s' if len(tags) > 1 else ''} {' and '.join(tags)}"


def _at(model: type[BaseModel], loc: Sequence[str | int]) -> Any:
    """The type of what is at LOC."""
    here: Any = model
    for part in loc:
        here = _below(here, part)
    return here


def _below(kind: Any, part: str | int) -> Any:
    for name, field in _fields(kind).items():
        if part in (name, field.alias):
            return field.annotation
    tagged = _tagged(kind)
    if part in tagged:
        return tagged[str(part)]
    if tagged:
        # The place in a list of a union; its tag comes next.
        return kind
    return next((inner for inner in _alternatives(kind) if _fields(inner)), None)


def _tagged(kind: Any) -> dict[str, Any]:
    """The alternatives of a union by the words for their `kind`."""
    return {
        tag: inner
        for inner in _alternatives(kind)
        if "kind" in _fields(inner)
        for tag in get_args(_fields(inner)["kind"].annotation)
    }


def _alternatives(kind: Any) -> list[Any]:
    """The types inside a union, an Annotated, a tuple or a mapping, at any depth."""
    found = []
    for inner in get_args(kind):
        found += [inner, *_alternatives(inner)]
    return found


def _fields(kind: Any) -> dict[str, Any]:
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return dict(kind.model_fields) if is_model else {}


def _keys(kind: Any) -> dict[str, bool]:
    """The keys of a mapping in a file, and whether each has to be there."""
    return {field.alias or name: field.is_required() for name, field in _fields(kind).items()}
