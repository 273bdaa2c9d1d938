"""What the bench makes of its measurements, and that all contenders are given the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.benchmarks import backup_report, labstamp, listing, stamping_report
from ci.benchmarks.__main__ import turns
from ci.benchmarks.inputs import Template
from ci.benchmarks.packer import packer_file
from ci.benchmarks.recipe import install
from ci.benchmarks.record import open_record
from ci.benchmarks.report import report
from ci.benchmarks.results import Measured
from ci.benchmarks.verdict import rows, typical

TIMETABLE = """\
                                         \x20
 template                    phase          seconds\x20
────────────────────────────────────────────────────
 base 20261122.1             clone          0.4\x20
                             cloud-init     31.2\x20
                             driver 535.1   3.0\x20
                             in all         34.6\x20
 desktop body                clone          0.5\x20
                             in all         0.5\x20
 docker-nested 20261122.1    publish        12.0\x20
                             in all         12.0\x20

"""


def ran(contender: str, case: str, *seconds: float) -> list[Measured]:
    return [
        Measured(
            contender=contender,
            case=case,
            round=number,
            seconds=each,
            started_at=f"2026-11-22T00:{number:02}:00+00:00",
            load=(0.5, 0.25, 0.0),
            phases=(("base", "clean", 1.5), ("base", "publish", each), ("base", "clean", 2.0)),
            sizes={"base": 3 * 1024**2},
        )
        for number, each in enumerate(seconds, start=1)
    ]


@pytest.fixture
def measured() -> list[Measured]:
    return [
        *ran("by hand", "cold", 500.0, 520.0, 480.0),
        *ran("Packer", "cold", 300.0, 900.0, 400.0),
        *ran("labstamp", "cold", 240.0, 220.0, 230.0),
        *ran("labstamp", "driver change", 30.0, 40.0, 50.0),
        *ran("labstamp", "nothing", 0.5, 0.7),
        *ran("floor", "cold", 200.0),
    ]


def test_ratios_are_of_medians_to_the_better_contender(measured: list[Measured]) -> None:
    cold, changed, nothing = rows(measured)
    assert (cold.by_hand.median, cold.packer.median, cold.better) == (500.0, 400.0, 400.0)
    assert (cold.packer.least, cold.packer.most, cold.packer.runs) == (300.0, 900.0, 3)
    assert cold.ratio == pytest.approx(0.575)
    assert not cold.met
    assert cold.over_floor == pytest.approx(1.15)
    assert changed.by_hand == cold.by_hand
    assert changed.ratio == pytest.approx(0.1)
    assert not changed.met
    assert changed.over_floor is None
    assert nothing.ratio == pytest.approx(0.6 / 400)
    assert nothing.met


def test_the_typical_run_is_the_one_in_the_middle(measured: list[Measured]) -> None:
    cold = typical(measured, "labstamp", "cold")
    nothing = typical(measured, "labstamp", "nothing")
    assert cold is not None
    assert nothing is not None
    assert (cold.seconds, nothing.seconds) == (230.0, 0.5)
    assert typical(measured, "labstamp", labstamp.DEFAULT) is None


def test_a_case_that_was_not_measured_has_no_row(measured: list[Measured]) -> None:
    assert rows([one for one in measured if one.contender != "Packer"]) == ()
    assert [row.case for row in rows([*measured][:9])] == ["cold"]


def test_the_report_tells_what_missed_its_target_and_the_floor(measured: list[Measured]) -> None:
    text = report({"processor": "A, 2 cores"}, measured)
    assert "| processor | A, 2 cores |\n" in text
    assert "| cold | 500.0 (480.0–520.0, 3) | 400.0 (300.0–900.0, 3) | 230.0 (220.0" in text
    assert "| **0.575** | ≤ 0.5 | missed |" in text
    assert "| **0.100** | ≤ 0.08 | missed |" in text
    assert "- cold: 0.575 instead of 0.5. labstamp takes 1.15 × the floor (200.0 s)" in text
    assert "- nothing" not in text
    assert "**Preliminary: 2 of 3 rounds.**" in text
    assert "### Cold: 230.0 s" in text
    assert "| publish | 230.0 | 230.0 |" in text
    assert "| clean | 3.5 | 3.5 |" in text
    assert "| 2 | Packer | cold | 00:02:00 | 900.0 | 0.50 0.25 0.00 |" in text


def test_phases_are_read_from_the_timetable_of_a_build() -> None:
    assert list(labstamp.phases_of(TIMETABLE)) == [
        ("base", "clone", 0.4),
        ("base", "cloud-init", 31.2),
        ("base", "driver 535.1", 3.0),
        ("desktop", "clone", 0.5),
        ("docker-nested", "publish", 12.0),
    ]


def test_a_record_goes_on_where_it_was_broken_off(tmp_path: Path, measured: list[Measured]) -> None:
    path = tmp_path / "record.jsonl"
    open_record(path, resume=False).add(measured[:4])
    record = open_record(path, resume=True)
    assert record.measured == measured[:4]
    assert record.has("Packer", "cold", 1)
    assert not record.has("Packer", "cold", 2)
    assert open_record(path, resume=False).measured == []


def test_contenders_take_turns() -> None:
    order = [(name, number) for name, case, number, _ in turns(3) if case == "cold"]
    assert [one for one in order if one[0] != "floor"] == [
        (name, number) for number in (1, 2, 3) for name in ("by hand", "Packer", "labstamp")
    ]


def test_packer_types_what_is_typed_by_hand() -> None:
    one = Template(
        name="base",
        parent=None,
        own=("git",),
        packages=("git",),
        config={"security.nesting": "true"},
    )
    two = Template(name="big", parent="base", own=("vim",), packages=("git", "vim"), config={})
    file = packer_file([one, two], "mirror.example", Path("/debs/userland.deb"))
    assert [builder["name"] for builder in file["builders"]] == ["base", "big"]
    assert {builder["image"] for builder in file["builders"]} == {"bench-plain"}
    assert file["builders"][0]["launch_config"] == {"security.nesting": "true"}
    shells = {
        str(step["only"]): step["inline"]
        for step in file["provisioners"]
        if step["type"] == "shell"
    }
    assert shells["['base']"] == list(install(one))
    assert shells["['big']"] == list(install(two))
    assert install(two)[1].endswith("--no-install-recommends git vim")


def test_the_report_on_lists_has_each_way_once() -> None:
    laps = [
        listing.Lap(what=what, seconds=seconds, load=load)
        for what, seconds, load in (
            ("the list", 0.25, 0.5),
            ("`lxc list`", 4.0, 1.5),
            ("the list", 0.75, 2.5),
            ("the list", 0.3, 0.75),
        )
    ]
    text = listing.report({"LXD": "5.0.2"}, 200, laps)
    assert text.startswith("# Listing 200 running containers\n")
    assert "| LXD | 5.0.2 |\n" in text
    assert "| the list | 0.30 | 0.25 | 0.75 | 3 |\n| `lxc list` | 4.00 | 4.00 | 4.00 | 1 |" in text
    assert "The load before the runs was 0.5 to 2.5 (average over a minute)." in text


def test_the_report_on_backups_compares_with_what_is_typed_by_hand() -> None:
    laps = [
        backup_report.Lap(what=what, way=way, seconds=seconds, stored=stored, load=load)
        for what, way, seconds, stored, load in (
            ("backup", backup_report.BY_HAND, 50.0, 3 * 1024**3, 0.5),
            ("backup", backup_report.DIRECTORY, 40.0, 2 * 1024**3, 1.5),
            ("backup", backup_report.DIRECTORY, 60.0, 1024**3, 2.5),
            ("verify", backup_report.RESTIC, 30.0, None, 1.0),
        )
    ]
    text = backup_report.report({"LXD": "5.0.2"}, laps, files=1000, size=1024**3)
    assert "has 1,000 files\nof 1.0 GiB in its home" in text
    assert "| backup | by hand | 50.0 | – | 3.0 GiB | 1 |\n" in text
    assert "| backup | labstamp, a directory | 50.0 (40.0–60.0) | 1.00 | 1.0 GiB | 2 |\n" in text
    assert "| verify | labstamp, restic | 30.0 | – | – | 1 |\n" in text
    assert "The load before the runs was 0.5 to 2.5" in text


def test_the_report_of_stamping_compares_with_what_is_typed_for_the_same_template() -> None:
    laps = [
        stamping_report.Lap(template=template, way=way, count=1, seconds=seconds, load=load)
        for template, way, seconds, load in (
            ("base", stamping_report.BY_HAND, 5.0, 0.5),
            ("base", stamping_report.LABSTAMP, 4.0, 1.5),
            ("base", stamping_report.LABSTAMP, 3.0, 2.5),
            ("docker", stamping_report.BY_HAND, 10.0, 1.0),
            ("docker", stamping_report.LABSTAMP, 4.0, 1.0),
        )
    ]
    text = stamping_report.report(stamping_report.PROVISION, {"LXD": "5.0.2"}, laps)
    assert "| base | 1 | by hand | 5.0 | – | 1 |\n" in text
    assert "| base | 1 | labstamp | 3.5 (3.0–4.0) | 0.70 | 2 |\n" in text
    assert "| docker | 1 | labstamp | 4.0 | 0.40 | 1 |\n" in text
    assert "0.5 to 2.5" in text
