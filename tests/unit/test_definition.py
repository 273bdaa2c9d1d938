"""Definitions: what one may say, and what must hold between them."""

import json
from pathlib import Path

import pytest

from tests.support.builders.definitions import BASE, DefinitionFiles


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefinitionFiles:
    monkeypatch.chdir(tmp_path)
    return DefinitionFiles(tmp_path)


def test_a_definition_knows_its_file_and_its_short_name(lab: DefinitionFiles) -> None:
    lab.write("base", BASE)
    base = lab.load().get("base")
    assert base.path == lab.root / "definitions" / "base.yaml"
    assert base.short == "base"


def test_a_size_may_be_written_as_people_say_it(lab: DefinitionFiles) -> None:
    lab.write("base", BASE + "disk: 0.5T\n")
    # What an older labstamp reads of the release, too.
    assert lab.load().get("base").disk == "512GiB"


def test_an_unknown_and_a_duplicate_key_and_a_wrong_type(lab: DefinitionFiles) -> None:
    lab.write("base", BASE + "packges: [htop]\ndisk: 20Q\ndisk: 30GiB\n")
    lab.write("gpu", "name: gpu\ncloud-init: base.yaml.j2\npackages: htop\nports: {rdp: 99999}\n")
    assert lab.told() == (
        "2 files cannot be used.\n"
        '  definitions/base.yaml:4: packges: unknown key (did you mean "packages"?)\n'
        "  definitions/base.yaml:5: disk: must be a size such as 20GiB"
        ' (Write a number and its unit: 500MB, 16GiB, 1TiB.), not "20Q"\n'
        "  definitions/base.yaml:6: disk: given twice (first on line 5)\n"
        "  definitions/gpu.yaml:1: description: missing\n"
        '  definitions/gpu.yaml:3: packages: must be a list, not "htop"\n'
        "  definitions/gpu.yaml:4: ports.rdp: input should be less than or equal to 65535"
    )


def test_a_missing_parent(lab: DefinitionFiles) -> None:
    lab.write("base", BASE)
    lab.child("gpu", parent="bsae")
    assert lab.told() == (
        "definitions/gpu.yaml cannot be used.\n"
        '  definitions/gpu.yaml:3: parent: there is no template bsae (did you mean "base"?)'
    )


def test_parents_in_a_circle(lab: DefinitionFiles) -> None:
    lab.child("aa", parent="bb")
    lab.child("bb", parent="cc")
    lab.child("cc", parent="aa")
    lab.child("dd", parent="aa")
    lab.child("me", parent="me")
    assert lab.told() == (
        "2 files cannot be used.\n"
        "  definitions/aa.yaml:3: parent: aa → bb → cc → aa is a circle\n"
        "  definitions/me.yaml:3: parent: me → me is a circle"
    )


def test_names_that_do_not_fit(lab: DefinitionFiles) -> None:
    lab.write("base", BASE.replace("name: base", "name: bass"))
    lab.child("gpu", "short: g1\n", parent="bass")
    lab.child("tpu", "short: g1\n", parent="bass")
    lab.child("xpu", "short: gpu\n", parent="bass")
    assert lab.told() == (
        "3 files cannot be used.\n"
        "  definitions/base.yaml:1: name: must be that of the file, base, not bass\n"
        "  definitions/tpu.yaml:5: short: g1 is already gpu\n"
        "  definitions/xpu.yaml:5: short: gpu is already gpu"
    )


def test_files_that_are_not_there(lab: DefinitionFiles) -> None:
    lab.write(
        "base",
        BASE.replace("base.yaml.j2", "bass.yaml.j2")
        + "scripts: [setup.sh, stup.sh]\n"
        + "checks:\n- {name: x, kind: command, run: [sh, /run/labstamp/chekc.sh]}\n",
    )
    assert lab.told() == (
        "definitions/base.yaml cannot be used.\n"
        "  definitions/base.yaml:3: cloud-init: there is no cloud-init/bass.yaml.j2"
        ' (did you mean "base.yaml.j2"?)\n'
        "  definitions/base.yaml:4: scripts[1]: there is no scripts/stup.sh"
        ' (did you mean "setup.sh"?)\n'
        "  definitions/base.yaml:6: checks[0].run: there is no scripts/chekc.sh"
    )


def test_privileges_are_refused_with_the_reason(lab: DefinitionFiles) -> None:
    lab.write(
        "base",
        BASE + "instance:\n"
        "  config:\n"
        '    security.privileged: "true"\n'
        "    raw.lxc: lxc.apparmor.profile=unconfined\n"
        '    security.nesting: "true"\n'
        "  devices:\n"
        "    card: {type: gpu}\n"
        "    disk: {path: /srv}\n",
    )
    assert lab.told() == (
        "definitions/base.yaml cannot be used.\n"
        "  definitions/base.yaml:6: base: security.privileged: containers here are unprivileged\n"
        "  definitions/base.yaml:7: base: raw.lxc: raw keys bypass LXD's checks\n"
        "  definitions/base.yaml:10: base: device card: GPUs and their driver are given by --gpus "
        "and `driver:`; in a builder they would leave empty files\n"
        "  definitions/base.yaml:11: base: device disk: a device needs a type"
    )


def test_checks_that_cannot_be(lab: DefinitionFiles) -> None:
    lab.write(
        "base",
        BASE + "checks:\n"
        "- {name: a, kind: command}\n"
        "- {name: b, kind: boots, run: [x]}\n"
        "- {name: c, kind: bots}\n"
        '- {name: d, kind: command, run: [x], stdout: "("}\n'
        "- {name: e, kind: port, port: 80}\n"
        "- {name: f, kind: ssh, port: 22}\n"
        "- {name: g, kind: command, run: []}\n"
        "- {name: h, kind: port, stdout: x}\n"
        "- {name: i, kind: port, port: 99999, stdout: x}\n"
        "- name: j\n"
        "  kind: reboot\n"
        "  skip: x\n"
        "- {name: k}\n"
        "- {kind: dns}\n"
        "- {name: l, kind: dns, tmeout: 3}\n",
    )
    assert lab.told() == (
        "definitions/base.yaml cannot be used.\n"
        "  definitions/base.yaml:5: checks[0].run: missing; kind command needs it\n"
        "  definitions/base.yaml:6: checks[1].run: belongs to kinds command and port,"
        " not to boots\n"
        "  definitions/base.yaml:7: checks[2].kind: must be 'boots', 'cloud-init', 'address',"
        " 'dns', 'ssh', 'identity', 'timezone', 'apt', 'leftovers', 'lint', 'reboot', 'rdp',"
        " 'port', 'gpu' or 'command', not \"bots\""
        ' (did you mean "boots"?)\n'
        "  definitions/base.yaml:8: checks[3].stdout: must be a regular expression"
        ' (missing ), unterminated subpattern at position 0), not "("\n'
        "  definitions/base.yaml:9: checks[4].stdout: missing; kind port needs it\n"
        "  definitions/base.yaml:10: checks[5].port: belongs to kind port, not to ssh\n"
        "  definitions/base.yaml:11: checks[6].run: must name a command, not an empty list\n"
        "  definitions/base.yaml:12: checks[7].port: missing; kind port needs it\n"
        "  definitions/base.yaml:13: checks[8].port: input should be less than or equal to 65535\n"
        "  definitions/base.yaml:16: checks[9].skip: belongs to kinds command and port,"
        " not to reboot\n"
        "  definitions/base.yaml:17: checks[10].kind: missing\n"
        "  definitions/base.yaml:18: checks[11].name: missing\n"
        '  definitions/base.yaml:19: checks[12].tmeout: unknown key (did you mean "timeout"?)'
    )


def test_packages_as_apt_takes_them(lab: DefinitionFiles) -> None:
    good = ["curl", "python3-pip=23.0.1+dfsg-1", "a=1:2.3~rc1", "libc6:i386", "x/sid"]
    lab.write("base", BASE + f"packages: {json.dumps(good)}\n")
    assert lab.load().get("base").packages == tuple(good)
    lab.write("base", BASE + 'packages: ["a=", "-y", "a=1 b", "=1", "a=$(x)"]\n')
    assert lab.told().count("must be the name of a package, such as curl or curl=7.88.1-10") == 5


def test_no_definition_replaces_the_check_of_every_image(lab: DefinitionFiles) -> None:
    lab.write("base", BASE + 'checks: [{name: provision, kind: command, run: ["true"]}]\n')
    assert lab.told() == (
        "definitions/base.yaml cannot be used.\n"
        "  definitions/base.yaml:4: checks[0]: provision is the check that every image gets; "
        "rename it"
    )


def test_two_checks_of_one_name(lab: DefinitionFiles) -> None:
    lab.write("base", BASE + "checks: [{name: a, kind: boots}, {name: a, kind: dns}]\n")
    assert lab.told() == (
        "definitions/base.yaml cannot be used.\n"
        '  definitions/base.yaml:4: checks[1]: "a" is also the name of checks[0]'
    )


def test_a_file_that_would_be_overlooked(lab: DefinitionFiles) -> None:
    lab.write("base", BASE)
    (lab.root / "definitions" / "gpu.yml").touch()
    assert lab.told() == (
        "definitions/gpu.yml cannot be used.\n  definitions/gpu.yml: is not read; rename it to "
        "gpu.yaml"
    )


def test_no_definitions_at_all(lab: DefinitionFiles) -> None:
    assert lab.told() == (
        "There are no definitions in definitions.\n"
        "Next: Put NAME.yaml files there, or correct `definitions:` in lab.yaml."
    )
