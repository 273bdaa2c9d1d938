"""Which ssh keys are taken, from where, and what people are told about the others."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
import requests
import requests_mock

from lab.errors import InputError
from provision.keys.public_key import parse_key
from provision.keys.ssh_keys import read_keys
from tests.support.builders.public_keys import ecdsa, ed25519, line, point, rsa

# Put together here, so that no scanner takes this file for a leak.
SECRET = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
PRIVATE = f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----\n{SECRET}\n-----END OPENSSH KEY-----\n"
PUTTY = (
    "Next: Give the public key: open the file in PuTTYgen, copy the whole field\n"
    '      "Public key for pasting into OpenSSH authorized_keys file" into a file, and give that '
    "file;\n"
    "      or, if puttygen is installed: puttygen -L FILE.ppk >FILE.pub"
)
MAKE_ONE = "Next: Make one: ssh-keygen -t ed25519 (then give the file that ends in .pub)"


def read(
    *sources: str, stdin: str | bytes = "", warned: list[str] | None = None
) -> tuple[str, ...]:
    content = stdin.encode() if isinstance(stdin, str) else stdin
    warnings: list[str] = []
    found = read_keys(sources, io.BytesIO(content), warn=warnings.append)
    # What nobody expects to be told is told to nobody.
    assert warned is not None or not warnings
    (warned if warned is not None else []).extend(warnings)
    return tuple(key.line for key in found)


def refusal(*sources: str, stdin: str | bytes = "") -> str:
    with pytest.raises(InputError) as error:
        read(*sources, stdin=stdin)
    return str(error.value)


@pytest.mark.parametrize(
    "key",
    [
        ed25519(),
        rsa(2048),
        rsa(4096),
        ecdsa("nistp256"),
        ecdsa("nistp384"),
        ecdsa("nistp521"),
        line("sk-ssh-ed25519@openssh.com", b"\1" * 32, b"ssh:"),
        line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", point("nistp256"), b"ssh:"),
    ],
)
def test_every_type_that_ssh_makes_is_taken(key: str) -> None:
    assert read(key) == (key,)


def test_a_file_may_hold_several_keys_blank_lines_and_remarks(tmp_path: Path) -> None:
    file = tmp_path / "keys.pub"
    file.write_text(f"# mine\n\n{ed25519(1)}\r\n  {ed25519(2)}\n")
    assert read(str(file)) == (ed25519(1), ed25519(2))


def test_each_key_counts_once_whatever_its_comment() -> None:
    assert read(ed25519(comment="desk"), ed25519(comment="laptop")) == (ed25519(comment="desk"),)


def test_standard_input() -> None:
    assert read("-", stdin=ed25519() + "\n") == (ed25519(),)


def test_no_source_is_no_key() -> None:
    assert read() == ()


def test_a_comment_cannot_steer_a_terminal() -> None:
    assert read(ed25519(comment="bob\x1b[31m\u202e desk")) == (ed25519(comment="bob[31m desk"),)


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", "0"), ("rsa", "2048"), ("ecdsa", "521")])
def test_real_keys_and_their_fingerprints(tmp_path: Path, kind: str, bits: str) -> None:
    file = tmp_path / "id"
    size = [] if bits == "0" else ["-b", bits]
    make = ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "bob@desk", "-f", str(file)]
    subprocess.run(make, check=True)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{file}.pub"], check=True, capture_output=True, text=True
    )
    (key,) = read(f"{file}.pub")
    assert key == file.with_suffix(".pub").read_text().strip()
    assert parse_key(key).fingerprint == shown.stdout.split()[1]


def test_a_private_key_file_is_refused_and_never_echoed(tmp_path: Path) -> None:
    file = tmp_path / "id_ed25519"
    file.write_text(PRIVATE)
    text = refusal(str(file))
    assert text == (
        f"A private key was given ({file}). It was not used, and it is not stored.\n"
        f"Next: Give the public key: {file}.pub"
    )


@pytest.mark.parametrize("text", [PRIVATE, PRIVATE.replace("\n", " ")])
def test_a_private_key_on_the_command_line_is_never_echoed(text: str) -> None:
    assert refusal(text) == (
        "A private key was given (the key on the command line). "
        "It was not used, and it is not stored.\n"
        "Next: Give the public key: the .pub file"
    )


def test_a_putty_key_is_never_echoed() -> None:
    text = refusal("-", stdin=f"PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{SECRET}\n")
    assert text == (
        "A private key was given (standard input). It was not used, and it is not stored.\n" + PUTTY
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_putty_key_has_no_pub_file_beside_it(tmp_path: Path, version: int, encoding: str) -> None:
    file = tmp_path / "alice.ppk"
    file.write_bytes(
        f"PuTTY-User-Key-File-{version}: ssh-ed25519\r\nEncryption: none\r\nComment: alice\r\n"
        f"Public-Lines: 2\r\nAAAA\r\nPrivate-Lines: 1\r\n{SECRET}\r\n".encode(encoding)
    )
    assert refusal(str(file)) == (
        f"A private key was given ({file}). It was not used, and it is not stored.\n{PUTTY}"
    )


def test_a_piece_of_a_private_key_is_never_echoed() -> None:
    text = refusal(f"{SECRET}\n{SECRET}")
    assert text == f"--key is neither a file nor an ssh public key.\n{MAKE_ONE}"


DAMAGED = {
    "ssh-dss " + "A" * 40: "ssh-dss (DSA) keys are insecure and refused; make an ed25519 key",
    rsa(1024): "an RSA key of 1024 bits is too short; at least 2048 are needed",
    "ssh-ed25519": "no key follows ssh-ed25519",
    ed25519()[:40]: "the key is incomplete",
    ed25519(comment="")[:-1]: "the key's base64 is damaged or incomplete",
    "ssh-ed25519 !!!!": "the key's base64 is damaged or incomplete",
    ed25519().replace("ssh-ed25519", "ssh-rsa", 1): (
        "the line says ssh-rsa, but contains a key of another type"
    ),
    line("ssh-ed25519", b"short"): "not a complete ed25519 key",
    line("ecdsa-sha2-nistp256", b"nistp384", b"\4" * 65): "not a complete nistp256 key",
    # Right in length, and on no curve: nobody has the private half.
    line("ecdsa-sha2-nistp256", b"nistp256", b"\4" * 65): "not a complete nistp256 key",
    line("sk-ssh-ed25519@openssh.com", b"\1" * 32): "not a complete sk-ssh-ed25519 key",
    f'command="rm -rf /" {ed25519()}': (
        "options before the key are not accepted; begin with the key type"
    ),
    "ssh-ed25519-cert-v01@openssh.com AAAA": "this is a certificate; give the public key itself",
    "---- BEGIN SSH2 PUBLIC KEY ----": "the key is incomplete: its END line is missing",
    "-----BEGIN PUBLIC KEY-----\nMFk\n-----END PUBLIC KEY-----": (
        "not in the format of OpenSSH; convert it: ssh-keygen -i -m PKCS8 -f FILE"
    ),
    "-----BEGIN RSA PUBLIC KEY-----\nMFk\n-----END RSA PUBLIC KEY-----": (
        "not in the format of OpenSSH; convert it: ssh-keygen -i -m PEM -f FILE"
    ),
    "---- BEGIN SSH2 PUBLIC KEY ----\n!!\n---- END SSH2 PUBLIC KEY ----": (
        "the key's base64 is damaged or incomplete"
    ),
    "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3Nz\n---- END SSH2 PUBLIC KEY ----": (
        "the key is incomplete"
    ),
    "hello": "not an ssh public key",
}


@pytest.mark.parametrize(("text", "reason"), DAMAGED.items())
def test_a_bad_line_is_told_with_its_place_and_the_good_ones_are_taken(
    text: str, reason: str
) -> None:
    warned: list[str] = []
    taken = read("-", stdin=f"{ed25519(1)}\n{text}\n{ed25519(2)}\n", warned=warned)
    cut_off = text.startswith("----") and "END" not in text
    assert taken == ((ed25519(1),) if cut_off else (ed25519(1), ed25519(2)))
    assert warned == [f"Key not used: standard input:2: {reason}"]
    assert refusal("-", stdin=f"{text}\n") == (
        f"No key can be used.\n  standard input:1: {reason}\n{MAKE_ONE}"
    )


def test_authorized_keys_of_many_years(tmp_path: Path) -> None:
    file = tmp_path / "authorized_keys"
    good = [ed25519(number) for number in range(1, 5)]
    dss, bound = "ssh-dss " + "A" * 40 + " old", f'from="10.0.0.0/8" {ed25519(9)}'
    file.write_text("\n".join([good[0], dss, *good[1:], bound, ""]))
    warned: list[str] = []
    assert read(str(file), warned=warned) == tuple(good)
    assert warned == [
        f"Key not used: {file}:2: ssh-dss (DSA) keys are insecure and refused; make an ed25519 key",
        f"Key not used: {file}:6: options before the key are not accepted; begin with the key type",
    ]


def test_one_good_file_does_not_help_another_without_any() -> None:
    assert refusal(ed25519(), "-", stdin="hello\n").startswith("No key can be used.\n")


def test_all_bad_lines_at_once(tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_text("hello\n\nssh-rsa\n")
    assert refusal(str(file)) == (
        "No key can be used.\n"
        f"  {file}:1: not an ssh public key\n"
        f"  {file}:3: no key follows ssh-rsa\n{MAKE_ONE}"
    )


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
