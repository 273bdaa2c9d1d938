"""Which ssh keys are taken, and what people are told about the others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provision.keys.public_key import parse_key
from tests.support.builders.public_keys import ecdsa, ed25519, line, point, rsa
from tests.support.builders.reading_keys import MAKE_ONE, read, refusal

# Put together here, so that no scanner takes this file for a leak.
SECRET = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
PRIVATE = f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----\n{SECRET}\n-----END OPENSSH KEY-----\n"
PUTTY = (
    "Next: Give the public key: open the file in PuTTYgen, copy the whole field\n"
    '      "Public key for pasting into OpenSSH authorized_keys file" into a file, and give that '
    "file;\n"
    "      or, if puttygen is installed: puttygen -L FILE.ppk >FILE.pub"
)


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
