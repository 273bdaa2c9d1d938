"""The guides' recipe, step by step: what is typed inside the instance, by hand or by Packer."""

from __future__ import annotations

from shlex import quote

from ci.benchmarks.inputs import Template

DRIVER_PLACE = "/root/userland.deb"
_APT = "apt-get -q -o DPkg::Lock::Timeout=120"

CLEAN_UP = (
    "apt-get clean",
    "rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*",
    "rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub",
    "cloud-init clean --logs",
    "truncate -s 0 /etc/machine-id",
)


def wait_for_network(mirror_host: str) -> str:
    """A loop as people type it, with an end of its own where there is no network to come."""
    look = f"getent hosts {quote(mirror_host)} >/dev/null"
    return f"for _ in $(seq 120); do {look} && break; sleep 0.5; done; {look}"


def install(template: Template) -> tuple[str, ...]:
    """Bring the lists up to date and install all that TEMPLATE has."""
    names = " ".join(quote(name) for name in template.packages)
    return f"{_APT} update", f"{_APT} install -y --no-install-recommends {names}"


def install_driver() -> tuple[str, ...]:
    """Install and hold the package that lies at DRIVER_PLACE."""
    return (
        f"{_APT} install -y --no-install-recommends {DRIVER_PLACE}",
        "apt-mark hold standin-nvidia-userland",
        f"rm {DRIVER_PLACE}",
    )
