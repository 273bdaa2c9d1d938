"""Whether a text is cloud-config at all. The rest of the grammar is judged in the builder.

cloud-init itself ignores a misspelt key in silence (seen: `pakcages:` with 22.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from lab.names import did_you_mean
from lab.yaml.problems import Problem
from lab.yaml.tree import Tree, Value, parse_tree

HEADER: Final = "#cloud-config"

# From cloud-init's schema (22.4 to 25.1) and the keys of its base configuration.
_WORDS: Final = """
ansible apk_repos apt apt_get_command apt_get_upgrade_subcommand apt_get_wrapper apt_pipelining
apt_reboot_if_required apt_update apt_upgrade autoinstall bootcmd byobu_by_default ca-certs
ca_certs chef chpasswd cloud_config_modules cloud_final_modules cloud_init_modules
create_hostname_file datasource datasource_list device_aliases disable_root disable_root_opts
disk_setup drivers fan final_message fqdn fs_setup groups growpart hostname keyboard landscape
locale locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective merge_how
merge_type mounts mount_default_fields network no_ssh_fingerprints ntp output
package_reboot_if_required package_update package_upgrade packages password phone_home
power_state prefer_fqdn_over_hostname preserve_hostname puppet random_seed reporting
resize_rootfs resolv_conf rh_subscription rsyslog runcmd salt_minion snap spacewalk ssh
ssh_authorized_keys ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id
ssh_keys ssh_publish_hostkeys ssh_pwauth ssh_quiet_keygen ssh_redirect_user swap
syslog_fix_perms system_info timezone ubuntu_advantage ubuntu_pro updates user users vendor_data
vendor_data2 wireguard write_files yum_repo_dir yum_repos zypper
"""
KNOWN_KEYS: Final = frozenset(_WORDS.split())


_ENDS: Final = "it would stop the boot that labstamp waits for"
_REFUSED: Final = {
    "power_state": _ENDS,
    "package_reboot_if_required": _ENDS,
    "apt_reboot_if_required": _ENDS,
    "autoinstall": "it is for Ubuntu's installer, which does not run here",
}
_OFF: Final[tuple[object, ...]] = (None, False, "", {}, [], "false", "off", "no")
_COMMANDS: Final = ("bootcmd", "runcmd")
_DOWN: Final = re.compile(
    r"(?:sudo\s+)?(?:\S*/)?(?:reboot|poweroff|halt|shutdown|telinit|init\s+[06]"
    r"|systemctl\s+(?:\S+\s+)*(?:reboot|poweroff|halt|kexec|soft-reboot))(?:\s.*)?"
)


def problems_of(text: str, template: Path) -> tuple[Problem, ...]:
    """What is wrong in TEXT, which TEMPLATE rendered to; lines are those of the rendered text."""
    if not text.startswith(f"{HEADER}\n"):
        return (Problem(path=template, line=1, text=f"does not begin with {HEADER}"),)
    tree = parse_tree(text, template)
    problems = list(tree.problems)
    if not problems and isinstance(tree.value, dict):
        problems += [
            tree.problem((key,), f"{key}: unknown key of cloud-init{did_you_mean(key, KNOWN_KEYS)}")
            for key in tree.value
            if key not in KNOWN_KEYS
        ]
        problems += _refusals(tree, tree.value)
    elif not problems:
        problems.append(
            Problem(
                path=template, text="renders to an empty document: cloud-init has nothing to do"
            )
        )
    return tuple(_rendered(problem) for problem in problems)


def _refusals(tree: Tree, config: Mapping[str, Value]) -> Iterator[Problem]:
    """What cloud-init could do, but must not where somebody waits for the end of its boot."""
    for key, why in _REFUSED.items():
        if config.get(key) not in _OFF:
            yield tree.problem((key,), f"{key}: {why}")
    for key in _COMMANDS:
        commands = config.get(key)
        for number, command in enumerate(commands if isinstance(commands, list) else ()):
            words = command if isinstance(command, list) else [command]
            text = " ".join(str(word) for word in words)
            if any(_DOWN.fullmatch(line.strip()) for line in text.splitlines()):
                yield tree.problem((key, number), f"{key}[{number}]: {_ENDS}")


def _rendered(problem: Problem) -> Problem:
    if problem.line is None:
        return problem
    return replace(problem, line=None, text=f"rendered line {problem.line}: {problem.text}")
