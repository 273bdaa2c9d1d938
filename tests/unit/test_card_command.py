"""`invoke card`: what it refuses before LXD is asked, and the file that it writes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from commands.cards import refuse_as_target
from lab.errors import InputError
from lab.whole_file import write_whole
from tests.support.live_lab.lab import Lab, Said


@pytest.fixture
def typed(tmp_path: Path) -> Lab:
    (tmp_path / "lab.yaml").write_text("{}\n")
    return Lab(settings=tmp_path / "lab.yaml")


def said(lab: Lab, *arguments: str) -> Said:
    return lab.invoke(*arguments, LXD_DIR="/nonexistent")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--lang", "cn"),
            '--lang "cn" is not known.\nNext: Choose one of: en, zh\n',
        ),
        (
            ("--format", "htm"),
            '--format "htm" is not known (did you mean "html"?).\n'
            "Next: Choose one of: text, markdown, html\n",
        ),
        (
            ("--to", "/nonexistent/x.html"),
            "There is no directory /nonexistent.\nNext: Make it: mkdir -p /nonexistent\n",
        ),
        (
            ("--to", "/dev/null"),
            "/dev/null is not a file: nothing was written.\nNext: Name a file: --to FILE\n",
        ),
    ],
)
def test_what_is_wrong_is_told_before_lxd_is_asked(
    typed: Lab, arguments: tuple[str, ...], told: str
) -> None:
    ended = said(typed, "card", "bob", *arguments)
    assert (ended.code, ended.out, ended.err) == (2, "", f"error: {told}")


def test_a_wrong_setting_is_told_with_its_line(typed: Lab) -> None:
    typed.settings.write_text(
        'locale: C.UTF-8\npublic: "https://lab.example.edu"\ncontact: "a\\e[2Jb"\n'
    )
    ended = said(typed, "card", "bob")
    assert ended.code == 2
    assert ":2: public: must be a name or an address, such as lab.example.edu" in ended.err
    assert ":3: contact: must be one line of at most 200 printable characters" in ended.err
    assert "\x1b" not in ended.err


@pytest.mark.parametrize(
    "value", ["a b", "-x", "x:0", "x:65536", "[::1", "[x]", "@x", "A@x", "x/y"]
)
def test_what_is_no_machine(typed: Lab, value: str) -> None:
    typed.settings.write_text(f'public: "{value}"\n')
    assert ":1: public: must be a name or an address" in said(typed, "card", "bob").err


def test_a_file_is_written_for_its_owner_alone_over_one_that_others_read(tmp_path: Path) -> None:
    file = tmp_path / "alice.html"
    file.write_text("old")
    file.chmod(0o644)
    refuse_as_target(file)
    write_whole(file, "new\n")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new\n", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["alice.html"]


def test_links_are_refused_wherever_they_lead(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    for name, target in (("link", "there"), ("broken", "nowhere")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(InputError, match="is a link: nothing was written"):
            refuse_as_target(tmp_path / name)
    assert (tmp_path / "there").read_text() == "mine"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """A surrogate, which UTF-8 does not have, ends it half way."""
    file = tmp_path / "alice.md"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "x" * 100_000 + "\ud800")
    assert file.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["alice.md"]


def test_a_pipe_is_no_place_for_a_card(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a file"):
        refuse_as_target(tmp_path / "pipe")
