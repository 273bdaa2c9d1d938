"""The host's own mirrors, from the ways that apt sources are written."""

import hashlib
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lab.machine.apt_entries import index_targets, read_entries
from lab.machine.apt_sources import Mirrors, Terms
from lab.machine.apt_sources import host_mirrors as ask_and_choose


def host_mirrors(family: str, codename: str, root: Path, targets: str = "") -> Mirrors:
    """Where apt says TARGETS of what it has fetched."""
    return ask_and_choose(family, codename, root, ask=lambda: targets)


def fetched(uri: str, release: str, *, origin: str = "Debian", codename: str = "") -> str:
    """A stanza of `apt-get indextargets`, as apt 2.6 prints it."""
    return (
        f"MetaKey: main/binary-amd64/Packages\nDescription: {uri} {release}/main\n"
        f"Codename: {codename or release}\nOrigin: {origin}\nTrusted: yes\nComponent: main\n"
        f"Created-By: Packages\nRelease: {release}\nRepo-URI: {uri}/\nTarget-Of: deb\n\n"
    )


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    root = tmp_path / "apt"
    (root / "sources.list.d").mkdir(parents=True)
    return root


def test_one_line_sources(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        " https://mirror.example/debian/ bookworm main contrib # near\n"
        "deb http://security.example/debian-security bookworm-security main\n"
    )
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(
        main="https://mirror.example/debian",
        security="http://security.example/debian-security",
    )


def test_deb822_sources(apt: Path) -> None:
    (apt / "sources.list.d" / "ubuntu.sources").write_text(
        "Enabled: no\nTypes: deb\nURIs: http://off.example/ubuntu\nSuites: noble\n"
        "Components: main\n\n"
        "# the mirror of the campus\n"
        "Types: deb deb-src\n"
        "URIs: http://mirror.example/ubuntu http://second.example/ubuntu\n"
        "Suites: noble noble-updates\n"
        " noble-security\n"
        "Components: main\n  universe\n"
        "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
    )
    assert host_mirrors("ubuntu", "noble", apt) == Mirrors(
        main="http://mirror.example/ubuntu", security="http://mirror.example/ubuntu"
    )


def test_third_parties_are_not_taken_for_the_archive(apt: Path) -> None:
    extra = apt / "sources.list.d"
    (extra / "a-docker.list").write_text(
        "deb [signed-by=/etc/apt/keyrings/docker.gpg] https://d.example/debian bookworm stable\n"
    )
    (extra / "b-vpn.list").write_text(
        "deb [signed-by=/usr/share/keyrings/vpn.gpg] https://vpn.example/debian bookworm main\n"
    )
    (extra / "debian.sources").write_text(
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
    )
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(main="http://mirror.example/debian")


def test_another_release_of_the_family_comes_from_the_hosts_mirror(apt: Path) -> None:
    (apt.parent / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (apt / "sources.list").write_text(
        "deb http://mirror.example/debian bookworm main\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    assert host_mirrors("debian", "trixie", apt) == Mirrors(
        main="http://mirror.example/debian", security="http://mirror.example/debian-security"
    )
    assert host_mirrors("ubuntu", "noble", apt) == Mirrors()


def test_a_cloud_images_list_of_mirrors(apt: Path, tmp_path: Path) -> None:
    mirrors = tmp_path / "debian.list"
    mirrors.write_text("https://mirror.example/debian\tpriority:1\nhttp://second.example/debian\n")
    (apt / "sources.list").write_text(f"deb mirror+file:{mirrors} bookworm main\n")
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(main="https://mirror.example/debian")


def test_a_host_without_apt(tmp_path: Path) -> None:
    assert host_mirrors("debian", "bookworm", tmp_path / "nothing") == Mirrors()


URI = "https://mirror.example/debian"
SECURITY = "https://mirror.example/debian-security"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEabc\n=xyz\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_suites_that_move(apt: Path) -> None:
    (apt.parent / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (apt / "sources.list").write_text(
        f"deb {URI} stable main\ndeb {URI} stable-updates main\n"
        f"deb {SECURITY} stable-security main\n"
    )
    found = Mirrors(main=URI, security=SECURITY)
    # Before apt has fetched anything; and when stable is the release after the host's.
    assert host_mirrors("debian", "bookworm", apt) == found
    for release in ("bookworm", "trixie"):
        targets = (
            fetched(URI, "stable", codename=release)
            + fetched(URI, "stable-updates", codename=f"{release}-updates")
            + fetched(SECURITY, "stable-security", codename=f"{release}-security")
        )
        assert host_mirrors("debian", "bookworm", apt, targets) == found
    assert host_mirrors("ubuntu", "noble", apt) == Mirrors()


def test_of_several_sources_the_release_s_own_comes_first(apt: Path) -> None:
    old, new = "http://old.example/debian", "http://new.example/debian"
    (apt / "sources.list").write_text(f"deb {old} oldstable main\ndeb {new} stable main\n")
    targets = fetched(old, "oldstable", codename="bookworm") + fetched(
        new, "stable", codename="trixie"
    )
    assert host_mirrors("debian", "bookworm", apt, targets).main == old
    assert host_mirrors("debian", "trixie", apt, targets).main == new


def test_a_key_within_the_source(apt: Path) -> None:
    lines = "\n".join(f" {line or '.'}" for line in KEY.splitlines())
    (apt / "sources.list.d" / "lab.sources").write_text(
        f"Types: deb\nURIs: {URI}\nSuites: bookworm\nComponents: main\n"
        f"Signed-By:\n{lines}\nCheck-Valid-Until: no\n"
    )
    found = host_mirrors("debian", "bookworm", apt, fetched(URI, "bookworm"))
    assert found == Mirrors(main=URI, main_terms=Terms(key=KEY.encode(), check_valid_until=False))
    assert found.remarks() == (
        f"{URI} is signed with a separate key, which is copied into the images.",
        f"{URI}: expired package lists are accepted, as on this host.",
    )
    # Before apt has fetched it nothing tells it from a third party's.
    assert host_mirrors("debian", "bookworm", apt) == Mirrors()


def test_options_of_one_line(apt: Path, tmp_path: Path) -> None:
    key = tmp_path / "lab.gpg"
    key.write_bytes(b"\x99\x01")
    own = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (apt / "sources.list").write_text(
        f"deb [ arch=amd64 signed-by={key} check-valid-until=no ] {URI} bookworm main\n"
        f"deb [trusted=yes signed-by={own}] http://zhang:x@s.example/s bookworm-security main\n"
    )
    targets = fetched(URI, "bookworm") + fetched("http://zhang:x@s.example/s", "bookworm-security")
    found = host_mirrors("debian", "bookworm", apt, targets)
    assert found.main_terms == Terms(key=b"\x99\x01", check_valid_until=False)
    assert found.security_terms == Terms(trusted=True)
    assert found.remarks()[-1] == (
        "http://zhang:***@s.example/s: unsigned packages are accepted, as on this host."
    )


def test_the_archive_is_told_by_its_own_word(apt: Path) -> None:
    other = "https://ppa.example/debian"
    (apt / "sources.list").write_text(f"deb {other} bookworm main\ndeb {URI} bookworm main\n")
    targets = fetched(other, "bookworm", origin="Somebody") + fetched(URI, "bookworm")
    assert host_mirrors("debian", "bookworm", apt, targets).main == URI
    # A mirror that a lab made itself says another word, and is better than none.
    assert host_mirrors("debian", "bookworm", apt).main == other


def test_ubuntu_s_security_suite_has_the_release_s_codename(apt: Path) -> None:
    uri = "http://mirror.example/ubuntu"
    (apt / "sources.list").write_text(
        f"deb {uri} noble main\ndeb http://security.example/ubuntu noble-security main\n"
    )
    targets = fetched(uri, "noble", origin="Ubuntu") + fetched(
        "http://security.example/ubuntu", "noble-security", origin="Ubuntu", codename="noble"
    )
    assert host_mirrors("ubuntu", "noble", apt, targets) == Mirrors(
        main=uri, security="http://security.example/ubuntu"
    )


def test_a_mirror_on_the_host_itself_is_left_out_and_told(apt: Path) -> None:
    cache = "http://localhost:3142/debian"
    (apt / "sources.list").write_text(f"deb {cache} bookworm main\n")
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(
        unusable=(f"containers cannot reach {cache}, a loopback address of this host",)
    )
    (apt / "sources.list").write_text(f"deb {cache} bookworm main\ndeb {URI} bookworm main\n")
    assert host_mirrors("debian", "bookworm", apt).main == URI


def test_the_settings_come_before_the_host() -> None:
    terms = Terms(trusted=True)
    host = Mirrors(main=URI, security=SECURITY, main_terms=terms)
    assert host.instead(None, None) == host
    assert host.instead(URI, None).main_terms == terms
    assert host.instead("http://own.example/d", None) == Mirrors(
        main="http://own.example/d", security=SECURITY
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One of our own, whose `stable` is bookworm."""
    repository = tmp_path / "my_own~repository"
    packages = repository / "dists/stable/main/binary-amd64/Packages"
    packages.parent.mkdir(parents=True)
    packages.write_text(
        "Package: hello\nVersion: 1\nArchitecture: amd64\nFilename: pool/hello.deb\nSize: 1\n"
        f"SHA256: {'0' * 64}\n\n"
    )
    content = packages.read_bytes()
    (repository / "dists/stable/Release").write_text(
        "Origin: Debian\nCodename: bookworm\nSuite: stable\nComponents: main\n"
        "Architectures: amd64\nDate: Sat, 21 Nov 2026 12:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-amd64/Packages\n"
    )
    return repository


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of an apt that knows no archive yet."""
    root = tmp_path / "root"
    for name in (
        *("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d"),
        *("var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"),
    ):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        'APT::Sandbox::User "root";\nAPT::Architecture "amd64";\n'
        'Acquire::Max-FutureTime "999999999";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    return root


def test_what_apt_itself_says(host: Path, repository: Path) -> None:
    _sources(host, f"file:{repository}")
    lists = host / "var/lib/apt/lists"
    (before,) = read_entries(host / "etc/apt", index_targets, fetched=lists)
    assert (before.origin, before.codename) == ("", "")
    subprocess.run(["apt-get", "update"], check=True, capture_output=True)
    (entry,) = read_entries(host / "etc/apt", index_targets, fetched=lists)
    assert (entry.origin, entry.codename, entry.suite) == ("Debian", "bookworm", "stable")
    assert (entry.trusted, entry.check_valid_until) == (True, True)


def test_what_apt_keeps_is_read_without_apt(host: Path, repository: Path) -> None:
    """By the names that apt gives its files, whatever is in the address."""
    serve = partial(SimpleHTTPRequestHandler, directory=str(repository.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_port}/{repository.name}"
        _sources(host, f"http://bob:secret@{place}/")
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        server.shutdown()
    lists = host / "var/lib/apt/lists"
    (entry,) = read_entries(host / "etc/apt", lambda: pytest.fail("apt was asked"), fetched=lists)
    assert (entry.origin, entry.codename, entry.suite) == ("Debian", "bookworm", "stable")
    assert read_entries(host / "etc/apt", index_targets, fetched=host / "none") == (entry,)


def _sources(host: Path, uri: str) -> None:
    text = f"deb [arch=amd64 trusted=yes] {uri} stable main\n"
    (host / "etc/apt/sources.list").write_text(text)
