"""The scripts of ci/, run by root, run nothing that another account may write."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.machine.ownership import ROOT_ALONE, fault_of

ROOT = Path(__file__).parents[2]
OTHERS = 65534


def judged(checkout: Path, **environ: str) -> tuple[int, str]:
    """As root sources it, whoever we are: who we are is root to it."""
    text = (ROOT / "ci/owner.sh").read_text()
    text = text.replace("-uid 0", f"-uid 0 -o -uid {os.geteuid()}")
    text = text.replace("-gid 0", f"-gid 0 -o -gid {os.getegid()}")
    (checkout.parent / "owner.sh").write_text(text)
    fail = r"""fail() { printf '%s\nNext: %s\n' "$2" "$3" >&2; exit "$1"; }"""
    ended = subprocess.run(
        ["bash", "-c", f'{fail}; root="$PWD"; . ../owner.sh; insist_on_own "$PWD"'],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    checkout = tmp_path / "lab" / "checkout"
    shutil.copytree(ROOT / "ci", checkout / "ci")
    (checkout / ".git" / "objects").mkdir(parents=True)
    return checkout


def test_one_s_own_checkout_is_silence(checkout: Path) -> None:
    assert judged(checkout) == (0, "")


@pytest.mark.parametrize("path", ["ci/lib.sh", "ci", ".git", "."])
def test_what_everybody_may_write_is_refused(checkout: Path, path: str) -> None:
    (checkout / path).chmod(0o777)
    code, said = judged(checkout)
    first, fix = said.splitlines()
    assert code == 2
    assert first.startswith(
        "Another account may change files that root runs, and could so become root: "
    )
    assert first.endswith(str(checkout / path) if path != "." else str(checkout))
    assert fix.endswith(f"chown -R root: {checkout} && chmod -R go-w {checkout}")


def test_what_lies_above_is_judged_too(checkout: Path) -> None:
    checkout.parent.chmod(0o777)
    code, said = judged(checkout)
    assert code == 2
    assert said.splitlines()[1].endswith(f"as root: chmod go-w {checkout.parent}")
    # Nobody but its owner moves a directory out of one that is sticky.
    checkout.parent.chmod(0o1777)
    assert judged(checkout) == (0, "")


def test_both_judges_agree(checkout: Path) -> None:
    for path in (checkout, checkout / "ci" / "up", checkout.parent):
        before = path.stat().st_mode & 0o7777
        for mode in (before, before | 0o002):
            path.chmod(mode)
            fault = fault_of(checkout / "ci" / "up", {*ROOT_ALONE, os.geteuid()})
            assert (judged(checkout)[0] == 0) == (fault is None)
        path.chmod(before)
