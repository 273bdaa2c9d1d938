"""Users and passwords of proxies and mirrors: for builders' apt, in no text that anybody sees."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from images.build.source import mirror_inputs
from images.templates.catalog import load_catalog
from images.templates.cloud_config import user_data
from images.templates.distro import load_distro
from lab.errors import InputError
from lab.machine.apt_auth import auth_conf
from lab.machine.apt_sources import Mirrors
from lab.settings.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
PROXY = "http://zhang:p%40ss@proxy.lab:3128"
MIRROR = "https://li:geheim@mirror.lab/debian"


def test_what_apt_is_told() -> None:
    plain = "http://mirror.lab/debian"
    assert auth_conf([None, plain]) == ""
    assert auth_conf([PROXY, MIRROR, plain, MIRROR, "http://token@mirror.lab"]) == (
        "machine http://proxy.lab:3128 login zhang password p@ss\n"
        "machine https://mirror.lab/debian login li password geheim\n"
        "machine http://mirror.lab login token\n"
    )


def test_no_cloud_config_has_it() -> None:
    """It goes into images, and a hash of it into recipes."""
    catalog = load_catalog(
        ROOT / "images/definitions",
        cloud_init=ROOT / "cloud-init",
        scripts=ROOT / "images/scripts",
    )
    distro = load_distro("debian-12", ROOT / "images/distros")
    bare = "http://proxy.lab:3128"
    for definition in catalog.order():
        mirrors = Mirrors(main=MIRROR, security=MIRROR)
        text = user_data(definition, distro, Settings(proxy=PROXY), mirrors, timezone="Etc/UTC")
        mirrors = Mirrors(main="https://mirror.lab/debian", security="https://mirror.lab/debian")
        assert text == user_data(
            definition, distro, Settings(proxy=bare), mirrors, timezone="Etc/UTC"
        )


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"proxy": "http://zhang:a%20b@proxy.lab"}, "without blanks and control characters"),
        ({"mirror": "http://zhang:a%0Ab@mirror.lab"}, "without blanks and control characters"),
        (
            {"nvidia-container-toolkit": {"url": MIRROR, "key": "tasks.py"}},
            "must have no user and password",
        ),
        (
            {
                "proxy": PROXY,
                "nvidia-container-toolkit": {
                    "url": "https://mirror.lab/deb",
                    "key-url": "https://mirror.lab/key",
                },
            },
            "key-url cannot be fetched through a proxy with a password",
        ),
    ],
)
def test_what_would_stay_in_images_is_refused(
    tmp_path: Path, settings: dict[str, object], refusal: str
) -> None:
    (tmp_path / "lab.yaml").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=refusal) as error:
        load_settings(tmp_path, {})
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "holds"),
    [
        ({}, False),
        ({"proxy": "http://proxy.lab:3128"}, False),
        ({"proxy": PROXY}, True),
        ({"security-mirror": MIRROR}, True),
        ({"driver": {"run": {"url": MIRROR, "sha256": "0" * 64}}}, True),
    ],
)
def test_whether_the_settings_are_to_be_kept_from_others(
    tmp_path: Path, settings: dict[str, object], *, holds: bool
) -> None:
    (tmp_path / "lab.yaml").write_text(json.dumps(settings))
    assert load_settings(tmp_path, {}).holds_password is holds


def test_no_recipe_has_it() -> None:
    """It would be a property of every image."""
    context = SimpleNamespace(mirrors=Mirrors(main=MIRROR, security="http://mirror.lab/s"))
    assert mirror_inputs(context) == {  # type: ignore[arg-type]
        "mirror": "https://mirror.lab/debian",
        "security mirror": "http://mirror.lab/s",
    }
