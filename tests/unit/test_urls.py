"""Which URLs are taken, what of them is shown, and which lead nowhere from inside a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.settings.settings import Settings, load_settings
from lab.urls import (
    URL,
    is_loopback,
    login_of,
    needs_escapes,
    without_login,
    without_password,
)


@pytest.mark.parametrize(
    "url",
    [
        "http://zhang:p%40ss@proxy.lab:3128",
        "http://zhang@proxy.lab:3128",
        "https://mirror.example/debian",
        "http://[fd00::1]:3142",
        "http://10.0.0.1:3142/ubuntu/",
        "http://user:@proxy.lab",
        "http://proxy:3142/mirror.example/debian%2B",
    ],
)
def test_urls(url: str) -> None:
    assert URL.fullmatch(url)


@pytest.mark.parametrize(
    ("value", "escapes"),
    [
        ("http://zhang:p@ss@proxy.lab:3128", True),
        ("http://zhang:p:w@proxy.lab", True),
        ("http://zhang:50%@proxy.lab", True),
        ("http://zhang:a/b@proxy.lab", True),
        ("proxy.lab:3128", False),
        ("ftp://proxy.lab", False),
        ("http://", False),
        ('http://x"; Evil "y', False),
        ("http://a b", False),
        ("http://mirror.example/debian?x=1", False),
    ],
)
def test_what_is_no_url(value: str, *, escapes: bool) -> None:
    assert not URL.fullmatch(value)
    assert needs_escapes(value) is escapes


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "apt.localhost",
        "127.0.0.1",
        "127.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104
        "0",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "ip6-localhost",
    ],
)
def test_every_spelling_of_loopback(host: str) -> None:
    assert is_loopback(f"http://zhang:x@{host}:7890/debian")


@pytest.mark.parametrize(
    "host", ["proxy.lab", "10.0.0.1", "127.example", "[fd00::1]", "localhost.example", "12.7.0.1"]
)
def test_what_is_not_loopback(host: str) -> None:
    assert not is_loopback(f"http://{host}:7890")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://zhang:p%40ss@proxy.lab:1", "http://zhang:***@proxy.lab:1"),
        ("deb http://z:p@ss@m/d x https://m/d y", "deb http://z:***@m/d x https://m/d y"),
        ("http://zhang:a/b@proxy.lab", "http://zhang:***@proxy.lab"),
        ("http://proxy.lab:3128", "http://proxy.lab:3128"),
        ("http://zhang@proxy.lab:3128", "http://zhang@proxy.lab:3128"),
    ],
)
def test_passwords_are_not_shown(text: str, shown: str) -> None:
    assert without_password(text) == shown


@pytest.mark.parametrize(
    ("url", "plain", "login"),
    [
        ("http://proxy.lab:3128", "http://proxy.lab:3128", None),
        ("http://zhang@proxy.lab", "http://proxy.lab", ("zhang", "")),
        ("http://zhang:p%40s%2Fs@proxy.lab:1/x", "http://proxy.lab:1/x", ("zhang", "p@s/s")),
        ("http://[fd00::1]:1/a@b", "http://[fd00::1]:1/a@b", None),
    ],
)
def test_the_login_of_a_url(url: str, plain: str, login: tuple[str, str] | None) -> None:
    assert (without_login(url), login_of(url)) == (plain, login)


def read(directory: Path, text: str) -> Settings:
    (directory / "lab.yaml").write_text(text)
    return load_settings(directory, {})


def test_a_proxy_with_a_password(tmp_path: Path) -> None:
    assert read(tmp_path, "proxy: http://zhang:p%40ss@proxy.lab:3128").proxy == (
        "http://zhang:p%40ss@proxy.lab:3128"
    )


def test_a_password_that_is_not_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read(tmp_path, "proxy: http://zhang:p@ss@proxy.lab:3128")
    assert str(caught.value) == (
        "lab.yaml cannot be used.\n"
        "  lab.yaml:1: proxy: must be a URL such as https://mirror.example/debian, "
        'not "http://zhang:***@proxy.lab:3128"; '
        "write %40 for an @ in its user or password, %3A for :, %25 for %"
    )


@pytest.mark.parametrize("key", ["proxy", "mirror", "security-mirror"])
def test_an_address_of_the_host_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"{key}: http://127.0.0.1:7890")
    assert str(caught.value) == (
        "lab.yaml cannot be used.\n"
        f"  lab.yaml:1: {key}: must be an address that containers reach, "
        'not "http://127.0.0.1:7890": in a container this address is the '
        "container itself. Let the server listen on the bridge (its address: "
        "`lxc network get lxdbr0 ipv4.address`) and write that address"
    )


def test_what_only_the_host_asks_may_be_its_own(tmp_path: Path) -> None:
    text = "source: {kind: simplestreams, server: https://localhost:8443, alias: debian/12}"
    assert read(tmp_path, text).source is not None
