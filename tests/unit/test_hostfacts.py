"""What the host's own files say."""

from pathlib import Path

from lab.machine.host import host_timezone, os_release


def test_the_time_zone_is_what_localtime_points_to(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("Etc/UTC\n")
    (tmp_path / "localtime").symlink_to("../usr/share/zoneinfo/America/Argentina/Ushuaia")
    assert host_timezone(tmp_path) == "America/Argentina/Ushuaia"


def test_the_time_zone_by_name(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("Asia/Shanghai\n")
    assert host_timezone(tmp_path) == "Asia/Shanghai"


def test_a_host_that_says_nothing(tmp_path: Path) -> None:
    assert host_timezone(tmp_path) == "Etc/UTC"
    assert os_release(tmp_path / "os-release") == {}


def test_os_release(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('# hello\nNAME="Debian GNU/Linux"\nID=debian\nVARIANT=\n')
    assert os_release(path) == {"NAME": "Debian GNU/Linux", "ID": "debian", "VARIANT": ""}
