"""The mmdebstrap call, and the metadata LXD wants beside its tree."""

import tarfile
from pathlib import Path

import pytest
import yaml

from images.build.bootstrap import command, with_metadata, write_metadata
from images.templates.distro import load_distro
from lab.errors import InputError
from lab.settings.source import Bootstrap, File

ROOT = Path(__file__).resolve().parents[2]
APT_CONFIG = '"$1"/etc/apt/apt.conf.d/00labstamp-bootstrap'
DISTRO = load_distro("debian-12", ROOT / "images" / "distros")


def hooks(line: str) -> list[str]:
    return [f"--setup-hook=echo '{line}' >>{APT_CONFIG}"]


def test_the_call_names_units_packages_archives_and_proxy() -> None:
    source = Bootstrap(
        kind="bootstrap",
        suite="bookworm",
        include=("cloud-init", "udev"),
        enable=("systemd-networkd.service",),
        mask=("systemd-binfmt.service",),
    )
    archives = ["deb https://mirror.example/debian bookworm main"]
    argv = command(source, archives=archives, target=Path("r.tar"), proxy="http://proxy.example:1")
    assert argv[argv.index("mmdebstrap") + 1 :] == [
        "--variant=minbase",
        argv[argv.index("mmdebstrap") + 2],
        "--components=main",
        "--include=cloud-init,udev",
        *hooks('Acquire::http::Proxy "http://proxy.example:1";'),
        *hooks('Acquire::https::Proxy "http://proxy.example:1";'),
        f"--customize-hook=rm {APT_CONFIG}",
        '--customize-hook=systemctl --root="$1" enable systemd-networkd.service',
        '--customize-hook=systemctl --root="$1" mask systemd-binfmt.service',
        "bookworm",
        "r.tar",
        "deb https://mirror.example/debian bookworm main",
    ]
    assert argv[argv.index("mmdebstrap") + 2] in {"--mode=root", "--mode=unshare"}


def test_no_password_stands_in_the_call() -> None:
    source = Bootstrap(kind="bootstrap", suite="bookworm")
    proxy = "http://zhang:p%40ss@proxy.lab:1"
    argv = command(source, archives=[], target=Path("r.tar"), proxy=proxy, login=True)
    assert not [word for word in argv if "zhang" in word or "p@ss" in word or "p%40ss" in word]
    assert hooks('Acquire::http::Proxy "http://proxy.lab:1";')[0] in argv
    setup, customize = (word for word in argv if "auth.conf.d" in word)
    assert setup.endswith('umask 077 && cat >"$1"/etc/apt/auth.conf.d/90labstamp-builder.conf')
    assert customize == '--customize-hook=rm "$1"/etc/apt/auth.conf.d/90labstamp-builder.conf'


def test_authorities_are_trusted_while_the_root_is_made_and_no_longer() -> None:
    source = Bootstrap(kind="bootstrap", suite="bookworm")
    argv = command(source, archives=[], target=Path("r.tar"), authorities=Path("/scratch/ca.crt"))
    assert [word for word in argv if "hook" in word] == [
        *hooks('Acquire::https::CaInfo "/scratch/ca.crt";'),
        f"--customize-hook=rm {APT_CONFIG}",
    ]


def test_metadata_makes_each_clone_have_its_own_host_name(tmp_path: Path) -> None:
    write_metadata(DISTRO, tmp_path / "metadata.tar")
    with tarfile.open(tmp_path / "metadata.tar") as archive:
        member = archive.extractfile("metadata.yaml")
        assert member is not None
        metadata = yaml.safe_load(member.read())
        assert archive.getnames() == ["metadata.yaml", "templates/hostname.tpl"]
    assert metadata["properties"] == {"os": "debian", "release": "bookworm"}
    assert metadata["templates"]["/etc/hostname"]["template"] == "hostname.tpl"


def test_a_bare_root_gets_metadata_and_a_whole_image_keeps_its_own(tmp_path: Path) -> None:
    bare, whole = tmp_path / "bare.tar", tmp_path / "whole.tar"
    with tarfile.open(bare, "w") as archive:
        archive.add(__file__, "etc/hostname")
    write_metadata(DISTRO, apart_from := tmp_path / "apart.tar")
    with tarfile.open(whole, "w") as archive:
        archive.add(__file__, "rootfs/etc/hostname")
        archive.add(__file__, "metadata.yaml")
    made = tmp_path / "metadata.tar"
    assert with_metadata(DISTRO, File(kind="file", path=bare), tmp_path) == (made, bare)
    assert with_metadata(DISTRO, File(kind="file", path=whole), tmp_path) == (whole, None)
    apart = File(kind="file", path=bare, metadata=apart_from)
    assert with_metadata(DISTRO, apart, tmp_path) == (apart_from, bare)
    twice = File(kind="file", path=whole, metadata=apart_from)
    with pytest.raises(InputError, match="is a whole image"):
        with_metadata(DISTRO, twice, tmp_path)


def test_the_metadata_of_a_split_image_finds_its_root_beside_it(tmp_path: Path) -> None:
    metadata, root = tmp_path / "base.tar", tmp_path / "base.root.tar"
    write_metadata(DISTRO, metadata)
    with pytest.raises(InputError) as caught:
        with_metadata(DISTRO, File(kind="file", path=metadata), tmp_path)
    assert (
        str(caught.value)
        .splitlines()[0]
        .endswith("base.tar is the metadata of an image, without its root.")
    )
    with tarfile.open(root, "w") as archive:
        archive.add(__file__, "./etc/hostname")
    assert with_metadata(DISTRO, File(kind="file", path=metadata), tmp_path) == (metadata, root)
