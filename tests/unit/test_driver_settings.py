"""`driver:` in lab.yaml: what may be written, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.settings.driver import DriverSettings
from lab.settings.settings import load_settings

SAMPLE = Path(__file__).parents[2] / "lab.example.yaml"
SUM = "a" * 64


def load(tmp_path: Path, text: str) -> DriverSettings:
    (tmp_path / "lab.yaml").write_text(f"driver: {text}\n")
    return load_settings(tmp_path, {}).driver


def test_without_a_word_it_is_the_best_that_the_host_can_do(tmp_path: Path) -> None:
    driver = load(tmp_path, "{}")
    assert (driver.delivery, driver.on_drift, driver.version) == ("auto", "refuse", None)


@pytest.mark.parametrize(
    "line", [line for line in SAMPLE.read_text().splitlines() if line.startswith("# driver:")]
)
def test_every_sample_can_be_used(tmp_path: Path, line: str) -> None:
    load(tmp_path, line.removeprefix("# driver: "))


def test_paths_start_from_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, '{packages: "debs-{version}"}').packages == tmp_path / "debs-{version}"
    run = load(tmp_path, "{run: {file: it.run}}").run
    assert run is not None
    assert run.file == tmp_path / "it.run"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "{run: {url: https://mirror.example/it.run}}",
            "driver.run: needs `sha256`, the checksum of the file at `url`: root runs it in every "
            "container",
        ),
        ("{run: {sha256: " + SUM + "}}", "driver.run: needs either file or url"),
        (
            "{run: {file: it.run, sha256: abc}}",
            'driver.run.sha256: must be the 64 hexadecimal digits of a sha256 sum, not "abc"',
        ),
        (
            "{packages: debs, run: {file: it.run}}",
            "driver: packages and run exclude each other; keep one",
        ),
        (
            "{apt-packages: [libcuda1, -x]}",
            "driver.apt-packages[1]: must be the name of a package; {branch} in it stands for 535"
            ' of 535.261.03, not "-x"',
        ),
        (
            "{version: latest}",
            'driver.version: must be a driver version such as 535.261.03, not "latest"',
        ),
        ("{on-drift: ignore}", "driver.on-drift: must be 'refuse' or 'build', not \"ignore\""),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert str(caught.value) == f"lab.yaml cannot be used.\n  lab.yaml:1: {told}"
