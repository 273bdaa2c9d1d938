"""The rendered cloud-configs, whole. After a wanted change: LABSTAMP_REGOLD=1 pytest, and read
the difference."""

import os
from pathlib import Path

import pytest
import yaml

from images.templates.catalog import load_catalog
from images.templates.cloud_config import user_data
from images.templates.distro import distro_names, load_distro
from images.templates.validate import judge_files
from lab.errors import InputError
from lab.machine.apt_sources import Mirrors
from lab.settings.settings import Settings
from lab.settings.toolkit import Toolkit

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
DISTROS = ROOT / "images" / "distros"
CATALOG = load_catalog(ROOT / "images" / "definitions")
ZONE = "Asia/Shanghai"
PLAIN = Settings(timezone=ZONE)


NAMES = {definition.name for definition in CATALOG.order()}


def mirrors(family: str) -> Mirrors:
    security = "https://mirror.example/debian-security" if family == "debian" else None
    return Mirrors(main=f"https://mirror.example/{family}", security=security)


def rendered(template: str, distribution: str, settings: Settings = PLAIN) -> str:
    distro = load_distro(distribution, DISTROS)
    found = mirrors(distro.family)
    return user_data(
        CATALOG.get(template), distro, settings, found, timezone=settings.timezone or ZONE
    )


# Not those that a lab adds beside them.
SHIPPED = [
    name
    for name in ("base", "docker-nested", "desktop", "xfce-xrdp", "gnome-xrdp")
    if name in NAMES
]


@pytest.mark.parametrize("distribution", distro_names(DISTROS))
@pytest.mark.parametrize("template", SHIPPED)
def test_golden(template: str, distribution: str) -> None:
    path = GOLDEN / f"{template}@{distribution}.yaml"
    text = rendered(template, distribution)
    if os.environ.get("LABSTAMP_REGOLD"):
        path.write_text(text)
    assert text == path.read_text()


def written_files(text: str) -> dict[str, str]:
    return {entry["path"]: entry["content"] for entry in yaml.safe_load(text)["write_files"]}


def test_every_setting_shows() -> None:
    settings = Settings(
        timezone="Europe/Berlin",
        locale="zh_CN.UTF-8",
        proxy="http://proxy.example:3142",
        options={"build-essential": True},
    )
    text = rendered("base", "debian-12", settings)
    files = written_files(text)
    config = yaml.safe_load(text)
    assert config["timezone"] == "Europe/Berlin"
    assert "build-essential" in config["packages"]
    assert files["/etc/default/locale"] == "LANG=zh_CN.UTF-8\n"
    assert files["/etc/locale.gen"] == "en_US.UTF-8 UTF-8\nzh_CN.UTF-8 UTF-8\n"
    assert files["/etc/apt/apt.conf.d/80labstamp-proxy"] == (
        'Acquire::http::Proxy "http://proxy.example:3142";\n'
        'Acquire::https::Proxy "http://proxy.example:3142";\n'
    )


def test_without_a_known_mirror_the_image_keeps_its_own_sources() -> None:
    distro = load_distro("ubuntu-24.04", DISTROS)
    text = user_data(CATALOG.get("base"), distro, PLAIN, Mirrors(), timezone=ZONE)
    assert not [path for path in written_files(text) if path.startswith("/etc/apt/sources")]


def test_a_child_does_not_repeat_its_parent() -> None:
    config = yaml.safe_load(rendered("docker", "debian-12"))
    assert "package_upgrade" not in config
    assert "timezone" not in config
    assert config["packages"] == ["docker.io", "fuse-overlayfs"]


def test_what_cloud_init_reads_in_a_container_is_yaml() -> None:
    content = written_files(rendered("base", "debian-12"))["/etc/cloud/cloud.cfg.d/95-labstamp.cfg"]
    assert yaml.safe_load(content)["datasource_list"] == ["LXD", "NoCloud", "None"]


def test_our_own_files_have_no_problems() -> None:
    assert judge_files(ROOT, {}) == ()


def test_check_definitions_tells_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("images/definitions", "images/distros", "images/scripts", "cloud-init"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("debian-12", "ubuntu-24.04"):
        text = (DISTROS / f"{name}.yaml").read_text()
        (tmp_path / "images/distros" / f"{name}.yaml").write_text(text)
    (tmp_path / "images/distros/debian-99.yaml").write_text("name: debian-99\n")
    (tmp_path / "images/definitions/base.yaml").write_text(
        "name: base\ndescription: x\ncloud-init: base.yaml.j2\n"
        "options: {gpu: false}\nrefuse: {ubuntoo-24.04: why}\n"
    )
    (tmp_path / "cloud-init/base.yaml.j2").write_text(
        "#cloud-config\npackages: []\n"
        "{% if proxy %}\n# {{ proxi | quoted }}\n{% endif %}\n"
        "{% if options.gpu and family == 'ubuntu' %}\npakcages: []\n{% endif %}\n"
    )
    (tmp_path / "cloud-init/container.yaml.j2").write_text(
        "#cloud-config\nusers: [{{ nmae | quoted }}]\n"
    )
    (tmp_path / "lab.yaml").write_text("options: {gpo: true}\nproxy: http://proxy.example:3142\n")
    assert [str(problem) for problem in judge_files(tmp_path, {})] == [
        "cloud-init/base.yaml.j2:4: proxi is undefined",
        'cloud-init/base.yaml.j2:7: pakcages: unknown key of cloud-init (did you mean "packages"?)',
        "cloud-init/container.yaml.j2:2: nmae is undefined",
        "images/definitions/base.yaml:5: refuse.ubuntoo-24.04: no such distribution"
        ' (did you mean "ubuntu-24.04"?)',
        "images/distros/debian-99.yaml:1: codename: missing",
        "images/distros/debian-99.yaml:1: family: missing",
        "images/distros/debian-99.yaml:1: keyring: missing",
        "images/distros/debian-99.yaml:1: release: missing",
        "images/distros/debian-99.yaml:1: security-suite: missing",
        "images/distros/debian-99.yaml:1: source: missing",
        "images/distros/debian-99.yaml:1: suites: missing",
        'lab.yaml:1: options.gpo: no template has this option (did you mean "gpu"?)',
    ]


TOOLKIT = "/run/labstamp/nvidia-container-toolkit"


def test_the_toolkit_s_source_waits_outside_of_apt_s(tmp_path: Path) -> None:
    key = tmp_path / "toolkit.gpg"
    key.write_bytes(b"\x99\x01")
    flat = Toolkit(url="https://mirror.example/toolkit", key=key)
    entries = {
        entry["path"]: entry
        for entry in yaml.safe_load(_with_toolkit(flat))["write_files"]
        if entry["path"].startswith(TOOLKIT)
    }
    assert set(entries) == {f"{TOOLKIT}.sources", f"{TOOLKIT}.key"}
    assert entries[f"{TOOLKIT}.sources"]["content"] == (
        "Types: deb\nURIs: https://mirror.example/toolkit\nSuites: /\n"
    )
    assert (entries[f"{TOOLKIT}.key"]["encoding"], entries[f"{TOOLKIT}.key"]["content"]) == (
        "b64",
        "mQE=",
    )


def test_the_toolkit_s_key_may_be_fetched_by_the_builder() -> None:
    toolkit = Toolkit(
        url="https://mirror.example/deb",
        suite="stable",
        components=("main",),
        key_url="https://mirror.example/key",
    )
    files = written_files(_with_toolkit(toolkit))
    assert files[f"{TOOLKIT}.key-url"] == "https://mirror.example/key\n"
    assert files[f"{TOOLKIT}.sources"] == (
        "Types: deb\nURIs: https://mirror.example/deb\nSuites: stable\nComponents: main\n"
    )


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    toolkit = Toolkit(url="https://mirror.example/deb", key=tmp_path / "none.asc")
    with pytest.raises(InputError) as caught:
        _with_toolkit(toolkit)
    assert str(caught.value) == (
        f"The key {tmp_path}/none.asc cannot be read.\n"
        "  No such file or directory\n"
        "Next: Correct `nvidia-container-toolkit:` in lab.yaml."
    )


def _with_toolkit(toolkit: Toolkit) -> str:
    settings = PLAIN.model_copy(update={"nvidia_container_toolkit": toolkit})
    return rendered("docker", "debian-12", settings)
