"""What is told of a container that another run is at work on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from provision.other_run import in_other_hands


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    builder: str = "lab1 4711 99"
    alive: bool | None = None


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (Note(alive=True), ("process 4711 on lab1 is syncing it", None)),
        (
            Note(),
            (
                "process 4711 on lab1 may still be syncing it. If that process no longer exists, "
                "remove the mark of that run",
                "lxc config unset ann",
            ),
        ),
    ],
)
def test_who_is_at_work_and_what_helps_once_that_is_over(
    note: Note, told: tuple[str, str | None]
) -> None:
    fix = "lxc config unset ann"
    assert in_other_hands(note, "syncing", once_over="remove the mark of that run", fix=fix) == told
