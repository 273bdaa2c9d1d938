"""Files that people write: every problem, at its line, all at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from lab.settings.source import Source
from lab.yaml.load import load_yaml
from lab.yaml.model import LocalPath, StrictModel
from lab.yaml.problems import BadFiles


class Inner(StrictModel):
    run: tuple[str, ...] = ()
    timeout: int = 60


class Thing(StrictModel):
    name: str
    release: str = ""
    colour: Literal["red", "green"] = "red"
    is_on: bool = False
    packages: tuple[str, ...] = ()
    config: Mapping[str, str] = Field(default_factory=dict)
    checks: tuple[Inner, ...] = ()
    source: Source | None = None
    file: LocalPath | None = None


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str | bytes) -> Path:
    path = Path("thing.yaml").absolute()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def told(text: str | bytes) -> str:
    with pytest.raises(BadFiles) as caught:
        load_yaml(written(text), Thing)
    return str(caught.value)


def test_an_unknown_key() -> None:
    assert told("name: x\npackges: [a]\n") == (
        "thing.yaml cannot be used.\n"
        '  thing.yaml:2: packges: unknown key (did you mean "packages"?)'
    )


def test_an_unknown_key_deep_inside() -> None:
    text = (
        "name: x\n"
        "checks:\n"
        "  - run: [a]\n"
        "  - timout: 3\n"
        "source:\n"
        "  kind: bootstrap\n"
        "  suite: bookworm\n"
        "  maks: [a.service]\n"
    )
    assert told(text) == (
        "thing.yaml cannot be used.\n"
        '  thing.yaml:4: checks[1].timout: unknown key (did you mean "timeout"?)\n'
        '  thing.yaml:8: source.maks: unknown key (did you mean "mask"?)'
    )


def test_the_python_spelling_of_a_key_is_no_key() -> None:
    assert told("name: x\nis_on: true\n") == (
        'thing.yaml cannot be used.\n  thing.yaml:2: is_on: unknown key (did you mean "is-on"?)'
    )


def test_a_duplicate_key_names_both_lines() -> None:
    assert told("name: x\npackages: [a]\nchecks:\n- run: [a]\n  run: [b]\npackages: [b]\n") == (
        "thing.yaml cannot be used.\n"
        "  thing.yaml:5: checks[0].run: given twice (first on line 4)\n"
        "  thing.yaml:6: packages: given twice (first on line 2)"
    )


def test_all_problems_at_once() -> None:
    text = (
        "colour: gren\n"
        "is-on: on\n"
        "packages: htop\n"
        "config: {security.nesting: true, limits.cpu: 4}\n"
        "checks: [{timeout: 010}]\n"
        "colour: red\n"
    )
    assert told(text) == (
        "thing.yaml cannot be used.\n"
        "  thing.yaml:1: colour: must be 'red' or 'green', not \"gren\""
        ' (did you mean "green"?)\n'
        "  thing.yaml:1: name: missing\n"
        '  thing.yaml:2: is-on: must be true or false, not "on"; write true\n'
        '  thing.yaml:3: packages: must be a list, not "htop"\n'
        '  thing.yaml:4: config.limits.cpu: must be text, not 4; write "4", in quotes\n'
        "  thing.yaml:4: config.security.nesting: must be text, not true;"
        ' write "true", in quotes\n'
        '  thing.yaml:5: checks[0].timeout: must be a whole number, not "010"\n'
        "  thing.yaml:6: colour: given twice (first on line 1)"
    )


def test_text_stays_what_was_written() -> None:
    thing = load_yaml(
        written(
            "name: 010x\nrelease: 24.10\npackages: [on, 2026-11-21, 1e3, 0x1F, 1_000, 12:30, =]\n"
        ),
        Thing,
    )
    assert thing.release == "24.10"
    assert thing.packages == ("on", "2026-11-21", "1e3", "0x1F", "1_000", "12:30", "=")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [x\n", "thing.yaml:2: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: b: c\n", "thing.yaml:1: not YAML: mapping values are not allowed here"),
        ("name: x\n---\nname: y\n", "thing.yaml:2: not YAML: but found another document"),
        ("name: *x\n", "thing.yaml:1: not YAML: found undefined alias 'x'"),
        ("name: x\n\x00", 'thing.yaml:2: not YAML: character "\\x00"'),
        (b"name: x\nrelease: \xff\n", "thing.yaml:2: is not UTF-8"),
        (
            "name: !!python/name:os.system x\n",
            "thing.yaml:1: the tag tag:yaml.org,2002:python/name:os.system is not supported",
        ),
        ("? [a]\n: b\nname: x\n", "thing.yaml:1: a key must be a word"),
        ("name: &a [*a]\n", "thing.yaml:1: an alias that contains itself"),
        ("- x\n", "thing.yaml:1: must be a mapping (key: value), not a list"),
        ("", "thing.yaml:1: name: missing"),
    ],
)
def test_what_is_not_even_yaml(text: str | bytes, line: str) -> None:
    assert f"  {line}" in told(text).splitlines()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{}", "thing.yaml:2: source.kind: missing"),
        (
            "{kind: debootstrap}",
            "thing.yaml:2: source.kind: must be 'bootstrap', 'simplestreams', 'file' or "
            '\'instance\', not "debootstrap" (did you mean "bootstrap"?)',
        ),
        ("{kind: bootstrap}", "thing.yaml:2: source.suite: missing; kind bootstrap needs it"),
        (
            "{kind: file, path: x, suite: bookworm}",
            "thing.yaml:2: source.suite: belongs to kind bootstrap, not to file",
        ),
        (
            "{kind: file, path: x, server: y}",
            "thing.yaml:2: source.server: belongs to kind simplestreams, not to file",
        ),
        (
            "{kind: simplestreams, server: ftp://x, alias: --all}",
            'thing.yaml:2: source.alias: must be one word of letters and digits, not "--all"',
        ),
    ],
)
def test_sources(source: str, line: str) -> None:
    assert f"  {line}" in told(f"name: x\nsource: {source}\n").splitlines()


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadFiles) as caught:
        load_yaml(Path("gone.yaml"), Thing)
    assert str(caught.value) == (
        "gone.yaml cannot be used.\n  gone.yaml: cannot be read: No such file or directory"
    )


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    thing = load_yaml(written("name: x\nfile: roots/a.tar\n"), Thing)
    assert thing.file == tmp_path / "roots" / "a.tar"
