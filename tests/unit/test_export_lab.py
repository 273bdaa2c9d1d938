"""What is there as a file, for which there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.gpu_selection import parse_selection
from lab.settings.driver import DriverSettings
from provision.lab_file.export import write
from tests.support.builders.filed import Filed
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.store import FakeInstance

GIB = 1 << 30
WITHOUT_DRIVER = SETTINGS.model_copy(update={"driver": DriverSettings(delivery="none")})


def test_apply_finds_nothing_to_do_for_what_export_wrote() -> None:
    filed = Filed("containers: {}\n", WITHOUT_DRIVER)
    filed.lxd.host_gpus = FOUR
    stamp(
        filed.lxd,
        settings=WITHOUT_DRIVER,
        request=bob(gpus=parse_selection("2"), memory_bytes=GIB, until="2027-01-31"),
    )
    stamp(
        filed.lxd,
        settings=WITHOUT_DRIVER,
        request=bob(name="ann", template="docker", keys=(), mail="ann@lab.example"),
    )
    stamp(
        filed.lxd,
        settings=WITHOUT_DRIVER,
        request=bob(name="eve", account="zhang", template="docker", keys=()),
    )
    filed.lxd.store.instances["default", "theirs"] = FakeInstance(profiles=("default",))
    filed.lxd.changes.clear()
    filed.text = filed.export()
    assert "theirs" not in filed.text
    assert "  size-1: {memory: 256MiB, processes: 3000, disk: 30GiB, home: 30GiB}\n" in filed.text
    assert filed.plan(prune=True) == ["3 containers: 3 as the file says; nothing to do."]
    assert filed.lxd.changes == []
    other = Filed(filed.text, WITHOUT_DRIVER)
    other.lxd.host_gpus = FOUR
    assert other.plan()[-1] == "3 containers: 3 to make, 0 as the file says."


def test_an_export_of_a_file_says_what_the_file_says() -> None:
    filed = Filed()
    filed.apply()
    filed.text = filed.export()
    assert filed.plan()[-1] == "3 containers: 3 as the file says; nothing to do."
    assert filed.export() == filed.text


def test_no_file_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "containers.yaml"
    write("a\n", path, force=False)
    with pytest.raises(InputError, match="exists"):
        write("b\n", path, force=False)
    write("c\n", path, force=True)
    assert path.read_text() == "c\n"
    with pytest.raises(InputError, match="cannot be written"):
        write("", tmp_path / "none" / "x", force=False)
