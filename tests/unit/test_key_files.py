"""Where ssh keys come from: files of any origin, the command line, the web."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import requests
import requests_mock

from tests.support.builders.public_keys import ed25519
from tests.support.builders.reading_keys import MAKE_ONE, read, refusal


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_what_windows_makes_of_a_file_is_taken(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "bob.pub"
    text = f"{ed25519(1)}\r\n{ed25519(2)}\r\n"
    file.write_bytes(text.encode(encoding))
    assert read(str(file)) == (ed25519(1), ed25519(2))
    assert read("-", stdin=text.encode(encoding)) == (ed25519(1), ed25519(2))
    marked = b"\xfe\xff" + text.encode("utf-16-be")
    assert read("-", stdin=marked) == (ed25519(1), ed25519(2))


def test_files_with_marks_put_together() -> None:
    parts = [ed25519(number).encode("utf-8-sig") + b"\r\n" for number in (1, 2)]
    assert read("-", stdin=b"".join(parts)) == (ed25519(1), ed25519(2))
    assert read("\ufeff" + ed25519()) == (ed25519(),)


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", "256"), ("rsa", "3072"), ("ecdsa", "521")])
def test_the_form_of_rfc_4716_is_taken(tmp_path: Path, kind: str, bits: str) -> None:
    file = tmp_path / "id"
    make = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "alice", "-f", str(file)]
    subprocess.run(make, check=True)
    exported = subprocess.run(
        ["ssh-keygen", "-e", "-f", f"{file}.pub"], check=True, capture_output=True, text=True
    ).stdout
    is_managed = file.with_suffix(".pub").read_text().split()
    assert exported.startswith("---- BEGIN SSH2 PUBLIC KEY ----\n")
    (key,) = read("-", stdin=exported.replace("\n", "\r\n"))
    assert key.split()[:2] == is_managed[:2]
    assert read(exported) == (key,)
    # As PuTTYgen saves it, twice in one file.
    headed = exported.replace("Comment:", "x-tool: PuTTY\\\ngen\nComment:")
    assert read("-", stdin=headed + exported) == (key,)


def test_a_key_over_two_lines() -> None:
    assert refusal(ed25519()[:50] + "\n" + ed25519()[50:]) == (
        "The key on the command line has more than one line.\n"
        "Next: Give the key file instead: --key FILE"
    )


def test_options_on_the_command_line() -> None:
    assert refusal(f"no-pty {ed25519()}") == (
        "No key can be used.\n"
        "  the key on the command line:1: options before the key are not accepted; begin with the "
        f"key type\n{MAKE_ONE}"
    )


def test_files_that_hold_no_key(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\0")
    large = tmp_path / "large"
    large.write_text("# more\n" * 20_000)
    assert refusal(str(empty)) == f"There is no ssh public key in {empty}.\n{MAKE_ONE}"
    assert (
        refusal(str(binary)) == f"{binary} is not text, so it is not an ssh public key.\n{MAKE_ONE}"
    )
    assert (
        refusal(str(large))
        == f"{large} is larger than 64 KiB, so it is not a list of ssh public keys.\n{MAKE_ONE}"
    )
    assert refusal(f"{tmp_path}/no") == f"There is no key file {tmp_path}/no.\n{MAKE_ONE}"
    assert refusal(str(tmp_path)) == (
        f"The key file {tmp_path} cannot be read.\n  Is a directory\n"
        "Next: Check its path and its permissions."
    )


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("gh:alice", "https://github.com/alice.keys"),
        ("gl:alice", "https://gitlab.com/alice.keys"),
        ("https://keys.example/alice", "https://keys.example/alice"),
    ],
)
def test_keys_from_the_web(requests_mock: requests_mock.Mocker, source: str, url: str) -> None:
    requests_mock.get(url, text=ed25519() + "\n")
    assert read(source) == (ed25519(),)


def test_what_the_web_may_answer(requests_mock: requests_mock.Mocker) -> None:
    url = "https://github.com/alice.keys"
    requests_mock.get(url, status_code=404, reason="Not Found")
    assert refusal("gh:alice") == (
        f"The keys at {url} cannot be fetched.\n"
        "  The server answered 404 Not Found.\n"
        "Next: Check the user name or the address."
    )
    requests_mock.get(url, exc=requests.ConnectTimeout)
    assert refusal("gh:alice") == (
        f"The keys at {url} cannot be fetched.\n"
        "  No answer within 10 s.\n"
        "Next: Save the keys in a file and give its path: --key FILE"
    )
    requests_mock.get(url, text="x" * 70_000)
    save = "\nNext: Save the keys in a file and give its path: --key FILE"
    too_large = f"{url} is larger than 64 KiB, so it is not a list of ssh keys."
    assert refusal("gh:alice") == too_large + save
    requests_mock.get(url, text="")
    assert refusal("gh:alice") == f"There is no ssh public key in gh:alice.\n{MAKE_ONE}"
    requests_mock.get(url, status_code=302, headers={"Location": "http://github.com/a"})
    requests_mock.get("http://github.com/a", text=ed25519())
    to_http = f"{url} redirects to plain http; keys are accepted over https only."
    assert refusal("gh:alice") == to_http + save


def test_sources_that_name_nobody() -> None:
    assert refusal("gh:../x") == "'gh:../x' contains no user name.\nNext: Write it as gh:alice"
    assert refusal("http://keys.example/a") == (
        "Keys are not accepted over plain http: http://keys.example/a\n"
        "Next: Use its https address, or save the file and give its path."
    )
