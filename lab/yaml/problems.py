"""What is wrong in the files people wrote: every problem at its line, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    path: Path
    line: int | None = None
    text: str

    def __str__(self) -> str:
        place = shown(self.path) if self.line is None else f"{shown(self.path)}:{self.line}"
        return f"{place}: {self.text}"


class BadFiles(InputError):
    """Files that cannot be used, with all that is wrong in them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        paths = sorted({problem.path for problem in self.problems})
        brief = f"{shown(paths[0])} cannot be used." if len(paths) == 1 else None
        super().__init__(
            brief or f"{len(paths)} files cannot be used.",
            details="\n".join(str(problem) for problem in self.problems),
        )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, by file and line."""
    return tuple(sorted(set(problems), key=lambda p: (p.path, p.line or 0, p.text)))


def shown(path: Path) -> str:
    """PATH as a person at the prompt would type it: relative where it lies below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
