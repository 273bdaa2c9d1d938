"""The cloud-config of a container, as text."""

from __future__ import annotations

import yaml

from provision.create.cloud_config import user_data
from tests.support.builders.stamping import DOCKER, SETTINGS, bob


def test_the_account_and_nothing_of_the_template() -> None:
    config = yaml.safe_load(user_data(bob(), DOCKER, SETTINGS))
    # Beside what names the command that fails (lab/cloudinit/sections.py).
    config["bootcmd"] = [command for command in config["bootcmd"] if isinstance(command, list)]
    assert config == {
        "bootcmd": [
            ["cloud-init-per", "once", "account-group", "groupadd", "--gid", "1000", "bob"]
        ],
        "users": [
            {
                "name": "bob",
                "uid": 1000,
                "primary_group": "bob",
                "groups": ["sudo", "docker"],
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "lock_passwd": True,
            }
        ],
        "disable_root": True,
        "ssh_deletekeys": True,
        "manage_etc_hosts": "localhost",
        "apt": {"preserve_sources_list": True},
    }


def test_keys_are_not_written_into_the_home_that_outlives_the_container() -> None:
    assert "ssh-ed25519" not in user_data(bob(), DOCKER, SETTINGS)
