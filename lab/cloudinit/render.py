"""cloud-init/*.yaml.j2 into cloud-config text, and pages; the only place that knows jinja2.

No value gets into the text but through a filter that makes it one YAML value: `quoted`, or
`block(INDENT)` for the content of a file. A template that lets one slip is refused. In a page,
every value is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import jinja2
from jinja2 import meta, nodes

from lab.cloudinit.cloud_config import problems_of
from lab.cloudinit.quoting import block, quoted
from lab.cloudinit.sections import Conflict, settled
from lab.errors import InputError
from lab.yaml.problems import BadFiles, Problem, shown

_RENDERED: Final = re.compile(r"rendered line \d+: ([\w-]+)(?:\[\d+\])?: ")
_SAFE_FILTERS: Final = ("quoted", "block")


def render(template: str, directory: Path, values: Mapping[str, object]) -> str:
    """TEMPLATE of DIRECTORY with VALUES; InputError with the template's line where it fails."""
    parts = sources_of(template, directory)
    try:
        compiled = _environment(directory).get_template(template)
        if unquoted := [problem for part in parts for problem in _unquoted(part)]:
            raise BadFiles(unquoted)
        text = compiled.render(values)
    # Beside jinja's own errors: what an expression of the template does with its values.
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise _failed(error, directory / template, directory) from error
    path = directory / template
    # As it was written: what it is made into tells no lines of the template.
    once, conflicts = settled(text, watch=False)
    problems = [_twice(conflict, path, parts) for conflict in conflicts] or [
        _at_source(problem, path, parts) for problem in problems_of(once, path)
    ]
    if problems:
        raise BadFiles(problems)
    return settled(text)[0]


def render_page(template: str, directory: Path, values: Mapping[str, object]) -> str:
    """TEMPLATE of DIRECTORY, a page of our own, as HTML: VALUES are text in it, never marks."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)


def _at_source(problem: Problem, path: Path, parts: Sequence[Path]) -> Problem:
    """PROBLEM at the line of the source that has its key, where there is one such line."""
    found = _RENDERED.match(problem.text)
    said = _lines_with(found.group(1), path, parts) if found else []
    if found is None or len(said) != 1:
        return problem
    return replace(problem, path=said[0][0], line=said[0][1], text=problem.text[found.start(1) :])


def _twice(conflict: Conflict, path: Path, parts: Sequence[Path]) -> Problem:
    """At the lines of the sources that say it, where they can be told."""
    said = _lines_with(conflict.key, path, parts)
    if len(said) == len(conflict.lines):
        first, number = said[0]
        last, line = said[-1]
        return Problem(path=last, line=line, text=f"{conflict} (first in {shown(first)}:{number})")
    first_line, *_, last_line = conflict.lines
    text = f"rendered line {last_line}: {conflict} (first on line {first_line})"
    return Problem(path=path, text=text)


def _lines_with(key: str, path: Path, parts: Sequence[Path]) -> list[tuple[Path, int]]:
    """Where PARTS say the top-level KEY; PATH comes last, as what it extends is before it."""
    says = re.compile(rf"{re.escape(key)}\s*:")
    return [
        (part, number)
        for part in (*(part for part in parts if part != path), path)
        for number, line in enumerate(part.read_text(encoding="utf-8").splitlines(), start=1)
        if says.match(line)
    ]


def sources_of(template: str, directory: Path) -> tuple[Path, ...]:
    """The files that TEMPLATE is made of: itself, what it extends, includes and imports."""
    environment = _environment(directory)
    found: dict[str, Path] = {}
    wanted = [(template, directory / template)]
    while wanted:
        name, asker = wanted.pop()
        if name in found:
            continue
        path = _inside(name, directory, asker)
        found[name] = path
        try:
            refs = _references(environment, path.read_text(encoding="utf-8"), name, str(path))
        except jinja2.TemplateSyntaxError as error:
            raise _failed(error, path, directory) from error
        wanted += [(ref, path) for ref in refs]
    return tuple(sorted(found.values()))


@lru_cache(maxsize=64)
def _references(
    environment: jinja2.Environment, text: str, name: str, path: str
) -> tuple[str, ...]:
    """What the template TEXT extends, includes and imports by name."""
    found = meta.find_referenced_templates(environment.parse(text, name, path))
    return tuple(ref for ref in found if ref is not None)


@lru_cache(maxsize=4)
def _environment(directory: Path) -> jinja2.Environment:
    """It keeps what it compiled, for as long as the file stays the same."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - this makes YAML, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _defined(quoted)
    environment.filters["block"] = _defined(block)
    return environment


def _defined(filter_: object) -> object:
    """FILTER_, told of an undefined value by jinja's own error, which knows the line."""

    def call(value: object, *arguments: object) -> object:
        if isinstance(value, jinja2.StrictUndefined):
            str(value)
        return filter_(value, *arguments)  # type: ignore[operator]

    return call


def _inside(name: str, directory: Path, asker: Path) -> Path:
    path = directory / name
    if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
        raise BadFiles([Problem(path=asker, line=_mention(asker, name), text=_absent(path))])
    return path


def _absent(path: Path) -> str:
    return f"there is no {shown(path)}"


def _mention(path: Path, word: str) -> int | None:
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, start=1) if word in line), None)


def _failed(error: Exception, path: Path, directory: Path) -> InputError:
    """What went wrong, at the line of the template that did it."""
    line: int | None = None
    if isinstance(error, jinja2.TemplateSyntaxError):
        path, line = Path(error.filename or path), error.lineno
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if Path(name).parent == directory:
            path, line = Path(name), trace.tb_lineno
        trace = trace.tb_next
    return BadFiles([Problem(path=path, line=line, text=_reason(error))])


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    # `'str object' has no attribute`, `'proxi' is undefined`: jinja's words are good enough.
    return re.sub(r"'([\w.-]+)' is undefined", r"\1 is undefined", text)


def _unquoted(path: Path) -> Iterator[Problem]:
    """The places where a value would get into the text as it is."""
    for line in _unquoted_lines(path.read_text(encoding="utf-8")):
        yield Problem(path=path, line=line, text="a value without | quoted")


@lru_cache(maxsize=64)
def _unquoted_lines(text: str) -> tuple[int, ...]:
    tree = jinja2.Environment(autoescape=False).parse(text)  # noqa: S701
    captured = {id(inner) for outer in _captures(tree) for inner in outer.find_all(nodes.Output)}
    return tuple(
        node.lineno
        for output in tree.find_all(nodes.Output)
        if id(output) not in captured
        for node in output.nodes
        if not _is_safe(node)
    )


def _captures(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Blocks whose whole text becomes a value, which is quoted where it is used."""
    yield from tree.find_all(nodes.AssignBlock)
    yield from tree.find_all(nodes.CallBlock)
    for made in tree.find_all(nodes.FilterBlock):
        if made.filter.name in _SAFE_FILTERS:
            yield made


def _is_safe(node: nodes.Node) -> bool:
    if isinstance(node, nodes.CondExpr):
        return _is_safe(node.expr1) and node.expr2 is not None and _is_safe(node.expr2)
    if isinstance(node, nodes.Filter):
        return node.name in _SAFE_FILTERS
    if isinstance(node, nodes.Call):
        # Macros and super() are made of outputs that are looked at where they are written;
        # what a call block encloses is looked at nowhere else.
        return not (isinstance(node.node, nodes.Name) and node.node.name == "caller")
    return isinstance(node, nodes.TemplateData | nodes.Const)
