"""What a run does when an LXD of its own dies: pytest inside pytest, and an LXD that is a list."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.lxd_watch import OwnLxds, Watch

pytest_plugins = "pytester"

WORDS = "fatal error: concurrent map read and map write"

# `lxd` is None, or why it died: what a test of the inner run sees of the outer one.
CONFTEST = """
import pytest
from tests.unit.test_lxd_watch import LXD

@pytest.fixture(scope="session")
def lab():
    LXD.made.append("lab")
    yield "lab"
    LXD.removed.append("lab" if LXD.dead is None else "lab of a dead LXD")
"""


@dataclass
class Pretended:
    dead: str | None = None
    told: str | None = None
    revived: int = 0
    made: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def die(self) -> None:
        self.dead = self.told = WORDS

    def death(self) -> str | None:
        told, self.told = self.told, None
        return told

    def revive(self) -> None:
        self.revived += 1
        self.dead = None


LXD = Pretended()


def run(pytester: pytest.Pytester, tests: str) -> tuple[pytest.RunResult, Pretended]:
    """TESTS, in which LXD is this module's."""
    LXD.__init__()  # type: ignore[misc]
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"from tests.unit.test_lxd_watch import LXD\n\n{tests}")
    options = ("-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:hypothesispytest")
    return pytester.runpytest_inprocess(*options, plugins=[Watch(LXD)]), LXD


def test_what_it_took_down_is_run_once_more_with_everything_made_anew(
    pytester: pytest.Pytester,
) -> None:
    result, lxd = run(
        pytester,
        """
def test_before(lab):
    LXD.tried.append("before")

def test_dies(lab):
    LXD.tried.append("dies")
    if LXD.tried.count("dies") == 1:
        LXD.die()
        assert LXD.dead is None, "connection refused"

def test_after(lab):
    LXD.tried.append("after")
""",
    )
    assert lxd.tried == ["before", "dies", "dies", "after"]
    assert (lxd.made, lxd.removed, lxd.revived) == (["lab"] * 2, ["lab"] * 2, 1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*LXD died*",
            "*test_dies, the first time:",
            "*connection refused*",
            f"LXD died in *::test_dies: {WORDS}. It was started again, "
            "and the test run once more: passed.",
            "*3 passed, 1 rerun in*",
        ]
    )


def test_a_test_that_fails_again_has_failed(pytester: pytest.Pytester) -> None:
    result, lxd = run(
        pytester,
        """
def test_dies():
    LXD.tried.append("dies")
    if LXD.tried == ["dies"]:
        LXD.die()
    raise ValueError("of its own")
""",
    )
    assert (lxd.tried, result.ret) == (["dies"] * 2, 1)
    result.stdout.fnmatch_lines(["*the test run once more: failed.", "*1 failed, 1 rerun in*"])


def test_a_failure_of_its_own_is_never_run_again(pytester: pytest.Pytester) -> None:
    result, lxd = run(
        pytester,
        """
def test_fails():
    LXD.tried.append("fails")
    raise ValueError

def test_of_a_death_that_hurt_nobody(lab):
    LXD.tried.append("hurt nobody")
    LXD.die()

def test_next(lab):
    LXD.tried.append("next")

def test_fails_later(lab):
    LXD.tried.append("fails later")
    raise ValueError
""",
    )
    assert lxd.tried == ["fails", "hurt nobody", "next", "fails later"]
    assert (lxd.made, lxd.revived, result.ret) == (["lab"] * 2, 1, 1)
    result.stdout.fnmatch_lines(["LXD died in *::test_of_a_death*that test had passed."])
    result.assert_outcomes(passed=2, failed=2)


@pytest.mark.parametrize("hurt", [True, False])
def test_a_second_death_ends_the_run_as_failed(pytester: pytest.Pytester, *, hurt: bool) -> None:
    result, lxd = run(
        pytester,
        f"""
def test_first(lab):
    LXD.die()

def test_second(lab):
    LXD.tried.append("second")
    LXD.die()
    assert not {hurt}

def test_never(lab):
    LXD.tried.append("never")
""",
    )
    assert (lxd.tried, lxd.revived, result.ret) == (["second"], 1, 1)
    assert lxd.removed == ["lab", "lab of a dead LXD"]
    result.stdout.fnmatch_lines(
        ["LXD died in *::test_first: *", "LXD died in *::test_second: *", "*a second time*"]
    )


def test_one_that_cannot_be_started_again_ends_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Pretended) -> None:
        raise AssertionError("LXD did not get ready.")

    monkeypatch.setattr(Pretended, "revive", refuse)
    result, lxd = run(
        pytester,
        """
def test_dies(lab):
    LXD.die()

def test_never(lab):
    LXD.tried.append("never")
""",
    )
    assert (lxd.tried, result.ret) == ([], 1)
    result.stdout.fnmatch_lines(["*LXD did not get ready.*", "*could not be started again*"])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("lxd", "gpus-7"):
        (tmp_path / name / "logs").mkdir(parents=True)
        (tmp_path / name / "logs" / "lxd.out").write_text("")
    return tmp_path


@contextmanager
def listening(directory: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(directory / "unix.socket"))
        listener.listen()
        yield


@pytest.mark.parametrize(
    "words",
    [
        "fatal error: concurrent map read and map write",
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "SIGABRT: abort",
        "unexpected fault address 0x7f00",
    ],
)
@pytest.mark.parametrize("name", ["lxd", "gpus-7"])
def test_last_words_are_a_death_and_told_once(place: Path, name: str, words: str) -> None:
    lxds = OwnLxds(place, place / "lxd", ())
    out = place / name / "logs" / "lxd.out"
    with listening(place / "lxd"):
        out.write_text('time="…" level=warning msg=" - Couldn\'t find the CGroup blkio.weight"\n')
        assert lxds.death() is None
        with out.open("a") as stream:
            stream.write(f"{words}\n\ngoroutine 4051 [running]:\n")
        assert lxds.death() == f"{words} (in {name})"
        assert lxds.death() is None


def test_silence_is_a_death(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    lxds = OwnLxds(place, place / "lxd", ())
    assert lxds.death() == "nothing answers at its socket"
    with listening(place / "lxd"):
        assert lxds.death() is None
