"""What a template adds to what it extends, and commands that fail in the middle of others."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.cloudinit.render import render
from lab.cloudinit.sections import FAILED, watched
from lab.errors import InputError


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "cloud-init"
    directory.mkdir()
    return directory


def told(sources: Path, text: str) -> str:
    (sources / "gpu.yaml.j2").write_text(text)
    with pytest.raises(InputError) as caught:
        render("gpu.yaml.j2", sources, {})
    return str(caught.value)


_COMMON = """\
#cloud-config
apt: {preserve_sources_list: true}
bootcmd:
  - [echo, first]
# What a template adds.
{% block system %}
{% endblock %}
"""


def _extended(sources: Path, text: str) -> str:
    (sources / "_common.yaml.j2").write_text(_COMMON)
    template = f'{{% extends "_common.yaml.j2" %}}\n{{% block system %}}\n{text}{{% endblock %}}\n'
    (sources / "gpu.yaml.j2").write_text(template)
    return render("gpu.yaml.j2", sources, {})


def test_a_template_adds_to_what_it_extends(sources: Path) -> None:
    text = _extended(
        sources,
        "package_update: true\n"
        "apt:\n  sources:\n    own: {source: 'deb https://mirror.example/deb stable main'}\n"
        "  preserve_sources_list: true\n"
        "bootcmd: [[echo, second]]\n",
    )
    config = yaml.safe_load(text)
    assert config["apt"] == {
        "preserve_sources_list": True,
        "sources": {"own": {"source": "deb https://mirror.example/deb stable main"}},
    }
    commands = [command for command in config["bootcmd"] if isinstance(command, list)]
    assert commands == [["echo", "first"], ["echo", "second"]]
    assert config["package_update"] is True
    # cloud-init would take the last of two and say nothing.
    assert (text.count("\napt:"), text.count("\nbootcmd:")) == (1, 1)


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        (
            "timezone: UTC\napt: {preserve_sources_list: false}\n",
            "cloud-init/gpu.yaml.j2:4: apt.preserve_sources_list: given twice "
            "(first in cloud-init/_common.yaml.j2:2)",
        ),
        (
            "apt: true\n",
            "cloud-init/gpu.yaml.j2:3: apt: given twice (first in cloud-init/_common.yaml.j2:2)",
        ),
    ],
)
def test_a_template_contradicts_what_it_extends(sources: Path, added: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        _extended(sources, added)
    assert caught.value.details == problem


@pytest.mark.parametrize(
    "text",
    [
        "power_state: {mode: reboot}",
        "package_reboot_if_required: true",
        "runcmd: [[systemctl, --no-block, reboot]]",
        "bootcmd: [/sbin/reboot]",
        "runcmd: ['echo done\n\n  shutdown -r now']",
        "runcmd: [[sh, -c, x], [init, '6']]",
    ],
)
def test_nobody_ends_a_boot_that_is_waited_for(sources: Path, text: str) -> None:
    said = told(sources, f"#cloud-config\n{text}\n")
    assert said.endswith(": it would stop the boot that labstamp waits for")


@pytest.mark.parametrize(
    "text",
    [
        "power_state:",
        "package_reboot_if_required: false",
        "runcmd: [[echo, reboot], 'systemctl enable reboots', 'rm -f /run/reboot-required']",
        "final_message: shutdown is near",
    ],
)
def test_what_only_speaks_of_a_reboot_is_taken(sources: Path, text: str) -> None:
    (sources / "gpu.yaml.j2").write_text(f"#cloud-config\nlocale: C\n{text}\n")
    assert render("gpu.yaml.j2", sources, {})


def _ran(tmp_path: Path, *commands: object) -> tuple[int, str, str]:
    """As cloud-init's `shellify` makes a script of them."""
    script = ["#!/bin/sh"]
    for command in watched("runcmd", commands):
        words = [command] if isinstance(command, str) else [shlex.join(map(str, command))]
        script += words
    (tmp_path / "script").write_text("\n".join(script) + "\n")
    ended = subprocess.run(
        ["sh", str(tmp_path / "script")], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("command", "code", "named"),
    [
        (["sh", "-c", "exit 3"], 3, 'runcmd[1]: sh -c "exit 3"'),
        (["false"], 1, "runcmd[1]: false"),
        ('echo "it\'s" | grep -q no', 1, 'runcmd[1]: echo "it\'s" | grep -q no'),
        ("exit 7", 7, "runcmd[1]: exit 7"),
        ("true\nno-such-command --x\ntrue", 127, "runcmd[1]: true no-such-command --x true"),
    ],
)
def test_a_command_that_fails_ends_the_others(
    tmp_path: Path, command: object, code: int, named: str
) -> None:
    ended, said, told = _ran(tmp_path, ["echo", "before"], command, ["echo", "after"])
    assert (ended, said) == (code, "before\n")
    assert told.splitlines()[-1] == f"{FAILED} with {code}: {named}"


def test_commands_that_may_fail_and_share_a_shell(tmp_path: Path) -> None:
    commands = ("false || true", "! true || true", "if false; then", "echo no", "fi", "echo $x")
    assert _ran(tmp_path, "x=shared", *commands) == (0, "shared\n", "")
    assert _ran(tmp_path, "set +e", ["false"], ["echo", "on"]) == (0, "on\n", "")


def test_a_text_without_commands_stays_as_it_was(sources: Path) -> None:
    text = "#cloud-config\n# why\nwrite_files:\n  - path: /a\n    content: |+\n      b\n\n\n# end\n"
    (sources / "gpu.yaml.j2").write_text(text)
    assert render("gpu.yaml.j2", sources, {}) == text


def test_what_stands_around_commands_stays(sources: Path) -> None:
    (sources / "gpu.yaml.j2").write_text(
        "#cloud-config\nlocale: C\n# of the commands\nruncmd:\n  # first\n  - echo\n"
        "\n# of the zone\ntimezone: UTC\n"
    )
    lines = render("gpu.yaml.j2", sources, {}).splitlines()
    assert lines[:3] == ["#cloud-config", "locale: C", "# of the commands"]
    assert lines[-3:] == ["", "# of the zone", "timezone: UTC"]
