"""What people type and write that cannot be used, through the command line; LXD is never asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.builders.public_keys import ed25519
from tests.support.live_lab.lab import Lab, Said

NAME_RULES = (
    "Next: Use 1 to 63 letters, digits and dashes; begin with a letter, do not end with a dash.\n"
)
NEAR = "      Nearest valid name: "


@pytest.fixture
def typed(tmp_path: Path) -> Lab:
    (tmp_path / "lab.yaml").write_text("{}\n")
    return Lab(settings=tmp_path / "lab.yaml")


def _said(lab: Lab, *arguments: str, stdin: str = "") -> Said:
    # Whoever asks LXD ends with another text and exit code 4.
    return lab.invoke(*arguments, stdin=stdin, LXD_DIR="/nonexistent")


@pytest.mark.parametrize(
    ("name", "reason", "offer"),
    [
        ("bob; rm -rf /", 'It contains ";", " ", "/".', f"{NEAR}bob-rm-rf\n"),
        ("../x", 'It contains ".", "/".', f"{NEAR}x\n"),
        ("b" * 64, "It has 64 characters.", f"{NEAR}{'b' * 32}\n"),
        ("bøb", 'It contains "ø".', "      Write it in Latin letters, as in pinyin: zhang-san\n"),
        ("", "It is empty.", ""),
    ],
)
def test_a_name_that_no_container_can_have(typed: Lab, name: str, reason: str, offer: str) -> None:
    said = _said(typed, "provision", name, "--password")
    assert (said.code, said.out, said.err) == (
        2,
        "",
        f'error: "{name}" cannot be the name of a container.\n  {reason}\n{NAME_RULES}{offer}',
    )


@pytest.mark.parametrize("command", ["rename", "clone"])
def test_a_new_name_that_no_container_can_have(typed: Lab, command: str) -> None:
    said = _said(typed, command, "bob", "bob/2")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith('error: "bob/2" cannot be the name of a container.'), said.err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("provison bob", 'There is no command "provison".\nNext: Did you mean: provision'),
        ("provision -x", 'provision has no option "-x".\nNext: {see}'),
        (
            "provision bob --templat x",
            'provision has no option "--templat".\nNext: Did you mean: --template',
        ),
        ("provision bob --key", "--key needs a value.\nNext: {see}"),
    ],
)
def test_what_is_mistyped_stops_before_any_command(typed: Lab, line: str, told: str) -> None:
    said = _said(typed, *line.split())
    see = "See its arguments and options: invoke --help provision"
    assert (said.code, said.out, said.err) == (1, "", f"error: {told.format(see=see)}\n")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    path = tmp_path / "id_ed25519"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


def test_a_private_key_is_refused_and_not_echoed(typed: Lab, private: Path) -> None:
    text = private.read_text()
    for given, stdin, place, public in (
        (str(private), "", str(private), f"{private}.pub"),
        ("-", text, "standard input", "the .pub file"),
        (text, "", "the key on the command line", "the .pub file"),
    ):
        said = _said(typed, "provision", "bob", "--key", given, stdin=stdin)
        assert (said.code, said.out, said.err) == (
            2,
            "",
            f"error: A private key was given ({place}). It was not used, and it is not stored.\n"
            f"Next: Give the public key: {public}\n",
        )
        secret = text.splitlines()[2]
        assert secret not in said.err


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (
            "ssh-ed25519 AAAAbad",
            "error: No key can be used.\n"
            "  the key on the command line:1: the key's base64 is damaged or incomplete\n"
            "Next: Make one: ssh-keygen -t ed25519 (then give the file that ends in .pub)\n",
        ),
        (
            f"{ed25519()}\n{ed25519()}",
            "error: The key on the command line has more than one line.\n"
            "Next: Give the key file instead: --key FILE\n",
        ),
        (
            "/nonexistent.pub",
            "error: There is no key file /nonexistent.pub.\n"
            "Next: Make one: ssh-keygen -t ed25519 (then give the file that ends in .pub)\n",
        ),
    ],
)
def test_a_key_that_is_none(typed: Lab, key: str, told: str) -> None:
    said = _said(typed, "provision", "bob", "--key", key)
    assert (said.code, said.out, said.err) == (2, "", told)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        (
            "--disk",
            "20Gigs",
            'error: "20Gigs" is not a size.\nNext: Write a number and its unit: 20GiB.\n',
        ),
        (
            "--memory",
            "-5GiB",
            'error: "-5GiB" is not a size.\n'
            "Next: Write a number and its unit: 500MB, 16GiB, 1TiB.\n",
        ),
        (
            "--memory",
            "0",
            'error: "0" cannot be used as a size.\n  A size must be greater than 0.\n',
        ),
        (
            "--disk",
            "99999999TiB",
            'error: "99999999TiB" cannot be used as a size.\n  A size must be at most 8191 PiB.\n',
        ),
        (
            "--cpus",
            "many",
            "error: --cpus many: expected a whole number, such as --cpus 4.\n",
        ),
    ],
)
def test_a_size_that_is_none(typed: Lab, option: str, value: str, told: str) -> None:
    said = _said(typed, "provision", "bob", "--password", option, value)
    assert (said.code, said.out, said.err) == (2, "", told)


def test_a_template_that_does_not_exist(typed: Lab, tmp_path: Path) -> None:
    _definition(tmp_path, "gpu-cuda", "short: cuda\n")
    (tmp_path / "lab.yaml").write_text("{definitions: definitions, cloud-init: cloud-init}\n")
    said = _said(typed, "render", "cudda")
    assert (said.code, said.out, said.err) == (
        2,
        "",
        'error: There is no template "cudda".\n'
        "  Known: gpu-cuda (cuda).\n"
        'Next: Did you mean "cuda"?\n',
    )


def _definition(directory: Path, name: str, text: str, boot: str = "#cloud-config\n{}\n") -> None:
    """A definition of that NAME with TEXT in it, and the cloud-init source BOOT."""
    for folder in ("definitions", "cloud-init"):
        (directory / folder).mkdir(exist_ok=True)
    head = f"name: {name}\ndescription: A template\ncloud-init: boot.yaml.j2\n"
    (directory / "definitions" / f"{name}.yaml").write_text(head + text)
    (directory / "cloud-init" / "boot.yaml.j2").write_text(boot)


def _judged(lab: Lab, directory: Path) -> tuple[int, str]:
    said = _said(lab, "check-definitions")
    assert said.out == ""
    return said.code, said.err.replace(f"{directory}/", "")


def test_everything_that_is_wrong_in_the_settings(typed: Lab, tmp_path: Path) -> None:
    typed.settings.write_text(
        "pol: default\n"
        "remote: http://lab1\n"
        "alias-prefix: lab\n"
        "alias-prefix: lab2\n"
        "compression: zst\n"
        "options: {build-essential: on}\n"
        "timezone: Asia/Shangai\n"
        "source: {kind: instace, name: x}\n"
        "pool: 5\n"
    )
    assert _judged(typed, tmp_path) == (
        2,
        "error: lab.yaml cannot be used.\n"
        '  lab.yaml:1: pol: unknown key (did you mean "pool"?)\n'
        '  lab.yaml:2: remote: must be "local" or a URL such as https://lab1.example:8443, '
        'not "http://lab1"\n'
        "  lab.yaml:4: alias-prefix: given twice (first on line 3)\n"
        "  lab.yaml:5: compression: must be 'zstd', 'gzip', 'pigz', 'xz', 'bzip2', 'lzma' or "
        '\'none\', not "zst" (did you mean "zstd"?)\n'
        '  lab.yaml:6: options.build-essential: must be true or false, not "on"; write true\n'
        '  lab.yaml:7: timezone: must be a time zone such as Asia/Shanghai, not "Asia/Shangai" '
        '(did you mean "Asia/Shanghai"?)\n'
        "  lab.yaml:8: source.kind: must be 'bootstrap', 'simplestreams', 'file' or 'instance', "
        'not "instace" (did you mean "instance"?)\n'
        '  lab.yaml:9: pool: must be text, not 5; write "5", in quotes\n',
    )


def test_everything_that_is_wrong_in_the_definitions(typed: Lab, tmp_path: Path) -> None:
    typed.settings.write_text("{definitions: definitions, cloud-init: cloud-init}\n")
    _definition(tmp_path, "gpu", "packges: [vim]\npackages: vim\n")
    _definition(tmp_path, "two", "disk: 20GB\ndisk: 30GB\n")
    assert _judged(typed, tmp_path) == (
        2,
        "error: 2 files cannot be used.\n"
        '  definitions/gpu.yaml:4: packges: unknown key (did you mean "packages"?)\n'
        '  definitions/gpu.yaml:5: packages: must be a list, not "vim"\n'
        "  definitions/two.yaml:5: disk: given twice (first on line 4)\n",
    )


def test_parents_that_are_missing_or_go_round(typed: Lab, tmp_path: Path) -> None:
    typed.settings.write_text("{definitions: definitions, cloud-init: cloud-init}\n")
    _definition(tmp_path, "gpu", "parent: twoo\n")
    _definition(tmp_path, "one", "parent: two\n")
    _definition(tmp_path, "two", "parent: one\n")
    assert _judged(typed, tmp_path) == (
        2,
        "error: 2 files cannot be used.\n"
        '  definitions/gpu.yaml:4: parent: there is no template twoo (did you mean "two"?)\n'
        "  definitions/one.yaml:4: parent: one → two → one is a circle\n",
    )


def test_a_template_variable_that_is_not_defined(typed: Lab, tmp_path: Path) -> None:
    typed.settings.write_text("{definitions: definitions, cloud-init: cloud-init}\n")
    boot = "#cloud-config\nruncmd:\n  - [echo, {{ nothing | quoted }}]\n"
    _definition(tmp_path, "gpu", "", boot)
    assert _judged(typed, tmp_path) == (
        2,
        "error: cloud-init/boot.yaml.j2 cannot be used.\n"
        "  cloud-init/boot.yaml.j2:3: nothing is undefined\n",
    )


@pytest.mark.parametrize("command", ["share", "unshare"])
def test_a_share_for_nobody(typed: Lab, command: str) -> None:
    for words in ((), ("bob",)):
        said = _said(typed, command, *words)
        assert (said.code, said.out, said.err) == (
            2,
            "",
            f"error: {command} needs the name of a container and of a share.\n"
            f"Next: Write it as: invoke {command} NAME SHARE\n"
            "      List the shares: invoke shares\n",
        )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("provision bob --until soon", "--until soon: expected a date"),
        ("provision bob --until 2027-02-30", "--until 2027-02-30: expected a date"),
        ("provision bob --mail bob", '--mail: "bob" is not a mail address.'),
        ("renew bob --until tomorrow", "--until tomorrow: expected a date"),
        ("renew bob --days 0", "--days 0: expected a number from 1 to 3650."),
        ("renew bob --days x", "--days x: expected a whole number"),
        ("renew bob --freeze x", "--freeze x: expected a date"),
        ("renew bob --mail a@b", '--mail: "a@b" is not a mail address.'),
        ("renew bob --days 3 --never", "renew takes one of --until, --days and --never."),
        ("renew bob --freeze 2027-01-01 --unfreeze", "renew takes --freeze or --unfreeze"),
        ("notify", "notify needs --test."),
        ("notify --test", "The settings name nobody to tell."),
    ],
)
def test_dates_and_addresses_that_cannot_be(typed: Lab, line: str, told: str) -> None:
    said = _said(typed, *line.split())
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}"), said.err


def test_addresses_that_everybody_can_read(typed: Lab, tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("json://127.0.0.1/s3cr3t\n")
    file.chmod(0o644)
    typed.settings.write_text("notify: {urls-file: urls}\n")
    said = _said(typed, "notify", "--test")
    assert (said.code, said.out, "s3cr3t" in said.err) == (2, "", False)
    assert f"chmod 600 {file}" in said.err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("bob",), "move needs the name of a container, and the server that it goes to."),
        (("bob", "lab9"), 'There is no server "lab9".'),
        (("bob", "http://lab2"), 'There is no server "http://lab2".'),
        (("bob", "lab2", "x", "--forget"), "move needs the name of a container, and the server"),
    ],
)
def test_a_move_to_nowhere(typed: Lab, words: tuple[str, ...], error: str) -> None:
    said = _said(typed, "move", *words)
    assert said.code == 2
    assert said.err.startswith(f"error: {error}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("containers: {ann: {memory: 16}}", ":1: containers.ann.memory: must be a size with its"),
        ("containers: {../x: {}}", ":1: containers.../x: must be a name that a container can have"),
        ("[" * 10_000, ":1: nested more than 50 deep"),
        ("containers: {ann: {people: {ann: {}, bob: {}}}}", "are not supported yet"),
    ],
)
def test_a_lab_that_no_file_can_ask_for(typed: Lab, tmp_path: Path, text: str, told: str) -> None:
    # Beside lab.yaml, where it is looked for.
    (tmp_path / "containers.yaml").write_text(text)
    said = _said(typed, "apply", "--yes")
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err


def test_options_of_apply_that_exclude_each_other(typed: Lab, tmp_path: Path) -> None:
    (tmp_path / "containers.yaml").write_text("containers: {}\n")
    for line in ("apply a b", "apply --keep --set-back", "export-lab a b", "apply nothing.yaml"):
        said = _said(typed, *line.split())
        assert (said.code, said.out) == (2, ""), line
