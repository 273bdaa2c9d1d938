"""A lab's own certificate authorities: what is taken, and how it gets before the first apt."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from images.build.boot_errors import explain_boot
from images.build.bootstrap import make_root, options
from images.build.source import source_recipe
from images.context import BuildContext, Log
from images.templates.catalog import load_catalog
from images.templates.cloud_config import user_data
from images.templates.distro import load_distro
from lab.certificate_authorities import read_authorities, untrusted
from lab.errors import InputError
from lab.machine.apt_sources import Mirrors, Terms
from lab.settings.settings import Settings, load_settings
from lab.settings.source import Bootstrap
from tests.support.certificates import Pair, make_pair

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT / "images" / "definitions")
DEBIAN = load_distro("debian-12", ROOT / "images" / "distros")
UNKNOWN = (
    "Err:1 https://m.example bookworm InRelease\n"
    "W: Failed to fetch https://m.example/dists/bookworm/InRelease  Certificate verification "
    "failed: The certificate is NOT trusted. The certificate issuer is unknown.\n"
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    return (
        make_pair(tmp_path_factory.mktemp("a"), "ca-a.example"),
        make_pair(tmp_path_factory.mktemp("b"), "ca-b.example"),
    )


def test_certificates_each_once_in_their_order(tmp_path: Path, pairs: tuple[Pair, Pair]) -> None:
    a, b = (pair.certificate.read_text().strip() for pair in pairs)
    both = tmp_path / "both.pem"
    both.write_bytes(f"\ufeffsubject=CN = a\r\n{a}\n\n{b}\n".replace("\n", "\r\n").encode())
    der = tmp_path / "b.cer"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(b))
    assert read_authorities((both, der)) == (a, b)
    assert read_authorities((der, both)) == (b, a)


def test_what_is_no_certificate(tmp_path: Path, pairs: tuple[Pair, Pair]) -> None:
    whole = pairs[0].certificate.read_text()
    files = {
        "It contains no certificate.": "-----BEGIN CERTIFICATE REQUEST-----\nMII=\n",
        "It contains a private key, which must not get into images.": whole
        + pairs[0].key.read_text(),
        "A certificate in it is damaged.": whole.replace("MII", "MIJ", 1),
    }
    for why, text in files.items():
        file = tmp_path / "ca.pem"
        file.write_text(text)
        assert refusal(file) == why
    assert refusal(tmp_path / "none.pem") == "It cannot be read: No such file or directory."


def refusal(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_authorities((file,))
    first, why, fix = str(caught.value).splitlines()
    assert first == f"The certificate {file} cannot be used."
    assert (
        fix == "Next: Correct `ca-certificates:` in lab.yaml: files with certificates in PEM form."
    )
    return why.strip()


def test_the_builder_trusts_them_before_its_first_apt(
    tmp_path: Path, pairs: tuple[Pair, Pair]
) -> None:
    (tmp_path / "ca.pem").write_text("".join(pair.certificate.read_text() for pair in pairs))
    (tmp_path / "lab.yaml").write_text("{ca-certificates: [ca.pem], timezone: Etc/UTC}")
    settings = load_settings(tmp_path, {})
    config = rendered("base", settings)
    # bootcmd comes before write_files and everything that installs.
    *argv, a, b = config["bootcmd"][-1]
    assert (argv[:2], argv[3:]) == (["sh", "-c"], ["sh"])
    assert [a, b] == [pair.certificate.read_text().strip() for pair in pairs]
    assert argv[2].splitlines()[-1] == "update-ca-certificates"
    plain = rendered("base", Settings(timezone="Etc/UTC"))
    assert len(plain["bootcmd"]) == len(config["bootcmd"]) - 2, "it, and what tells it failed"
    assert "update-ca-certificates" not in str(plain["bootcmd"])


def rendered(template: str, settings: Settings, mirrors: Mirrors | None = None) -> dict[str, Any]:
    found = mirrors or Mirrors(main="https://m")
    text = user_data(CATALOG.get(template), DEBIAN, settings, found, timezone="Etc/UTC")
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def test_the_terms_of_a_mirror_get_into_the_image() -> None:
    mirrors = Mirrors(
        main="https://m.example/debian",
        security="https://s.example/debian-security",
        main_terms=Terms(key=b"-----BEGIN PGP", check_valid_until=False),
        security_terms=Terms(key=b"\x99", trusted=True),
    )
    files = {one["path"]: one for one in rendered("base", Settings(), mirrors)["write_files"]}
    assert files["/etc/apt/sources.list.d/debian.sources"]["content"] == (
        "Types: deb\nURIs: https://m.example/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main contrib non-free non-free-firmware\n"
        "Signed-By: /etc/apt/keyrings/labstamp-main.asc\nCheck-Valid-Until: no\n\n"
        "Types: deb\nURIs: https://s.example/debian-security\nSuites: bookworm-security\n"
        "Components: main contrib non-free non-free-firmware\n"
        "Signed-By: /etc/apt/keyrings/labstamp-security.gpg\nTrusted: yes\n"
    )
    key = files["/etc/apt/keyrings/labstamp-security.gpg"]
    assert (key["encoding"], key["content"]) == ("b64", "mQ==")


def test_the_terms_of_a_mirror_in_mmdebstrap_s_line(tmp_path: Path) -> None:
    assert options(Terms(), tmp_path / "main") == ""
    terms = Terms(key=b"-----BEGIN", check_valid_until=False, trusted=True)
    key = tmp_path / "main.asc"
    assert options(terms, tmp_path / "main") == (
        f"[signed-by={key} check-valid-until=no trusted=yes] "
    )
    assert (key.read_bytes(), oct(key.stat().st_mode)[-3:]) == (b"-----BEGIN", "644")


def test_the_terms_of_a_mirror_are_part_of_the_source_s_recipe() -> None:
    usual = source_recipe(context(Mirrors(main="https://m.example/debian"))).inputs
    assert set(usual) == {"distribution", "source", "mirror", "security mirror"}
    terms = Mirrors(main="https://m.example/debian", main_terms=Terms(key=b"one"))
    others = replace(terms, main_terms=Terms(key=b"two"))
    ids = {source_recipe(context(each)).id for each in (terms, others)}
    assert len(ids | {source_recipe(context(Mirrors(main="https://m.example/debian"))).id}) == 3


def test_a_host_whose_only_mirror_is_its_own_loopback(tmp_path: Path) -> None:
    mirrors = Mirrors(unusable=("containers cannot reach http://localhost:3142/debian, …",))
    source = Bootstrap(kind="bootstrap", suite="bookworm")
    with pytest.raises(InputError) as caught:
        make_root(context(mirrors), source, tmp_path, cast("Log", None))
    assert str(caught.value) == (
        "No apt mirror for debian-12: this host's apt sources name none.\n"
        "  containers cannot reach http://localhost:3142/debian, …\n"
        "Next: Set `mirror:` in lab.yaml, for instance mirror: https://mirror.example/debian"
    )


def context(mirrors: Mirrors) -> BuildContext:
    """As much of one as knows where packages come from."""
    return cast(
        "BuildContext", SimpleNamespace(settings=Settings(), distro=DEBIAN, mirrors=mirrors)
    )


def test_docker_asks_the_mirrors_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(
        "registry-mirrors: [https://mirror.example, http://10.0.0.5:5000/]\n"
    )
    config = rendered("docker", load_settings(tmp_path, {}))
    (text,) = (
        one["content"] for one in config["write_files"] if one["path"] == "/etc/docker/daemon.json"
    )
    assert yaml.safe_load(text) == {
        "storage-driver": "overlay2",
        "live-restore": True,
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "registry-mirrors": ["https://mirror.example", "http://10.0.0.5:5000"],
    }


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "https://mirror.example/docker",
            "must be a URL of host and port alone, such as https://mirror.example:5000, not "
            '"https://mirror.example/docker"',
        ),
        (
            "https://u:secret@mirror.example",
            "must be a URL of host and port alone, such as https://mirror.example:5000, not "
            '"https://u:***@mirror.example"',
        ),
        (
            "http://localhost:5000",
            'must be an address that containers reach, not "http://localhost:5000": in a container '
            "this address is the container itself. Let the server listen on the bridge (its "
            "address: `lxc network get lxdbr0 ipv4.address`) and write that address",
        ),
    ],
)
def test_what_docker_would_not_start_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(f"registry-mirrors: ['{url}']\n")
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value) == (
        f"lab.yaml cannot be used.\n  lab.yaml:1: registry-mirrors[0]: {told}"
    )


def test_a_certificate_that_nobody_knows_is_told_as_such() -> None:
    error = explain_boot(CATALOG.get("base"), DEBIAN, (), UNKNOWN, Path("log"))
    assert str(error) == (
        "base: the builder does not trust the certificate of the apt mirror.\n"
        "  W: Failed to fetch https://m.example/dists/bookworm/InRelease  Certificate verification "
        "failed: The certificate is NOT trusted. The certificate issuer is unknown.\n"
        "Next: Name the authority that signed it: `ca-certificates: [FILE]` in lab.yaml."
    )
    expired = UNKNOWN.replace("issuer is unknown", "chain uses expired certificate")
    said = untrusted(expired)
    assert said is not None
    assert said[1] == "Check that the certificate has not expired, and names the host of the URL."
    assert untrusted("W: Failed to fetch https://m.example  Could not connect to m.example") is None
