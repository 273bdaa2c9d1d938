"""The two lock files: what pyproject.toml asks for, pinned, and one a part of the other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(lock: str) -> set[str]:
    """`name==version`, with its marker where it has one."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {line.rstrip(" \\") for line in lines if re.match(r"[a-z0-9]", line)}


def names(pinned: set[str]) -> set[str]:
    return {re.split(r"==", pin)[0] for pin in pinned}


def wanted(section: str) -> set[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(rf"^{section} = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return {name.lower() for name in re.findall(r'^ +"([A-Za-z0-9_-]+)', found[1], re.MULTILINE)}


def test_development_holds_what_users_get() -> None:
    """`ci/up` after `ci/test` in one .venv relies on it."""
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_every_dependency_is_pinned() -> None:
    assert wanted("dependencies") <= names(pins("requirements.lock"))
    assert wanted("dev") <= names(pins("requirements-dev.lock"))


def test_every_pin_has_a_hash_and_no_host() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in text
