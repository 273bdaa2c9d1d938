"""Containers as rows and summaries for people. Pure: from the documents of `listing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commands.views import shares
from lab.sizes import format_share, format_size
from provision.create.provision import Provisioned
from provision.lifecycle import Removed

COLUMNS = (
    *("name", "state", "template", "address", "cpus", "memory", "root", "home", "gpus", "until"),
    "",
)

Summary = tuple[str, list[tuple[str, str]], list[str]]
"""Title, labelled rows, lines below."""


# The kernel answers `df` for the file system, not for the quota group of a container.
_DF = "Root and home have quotas, though `df` may show the whole pool; inside, ask: lab-info"


def row(container: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        container["name"],
        _state(container),
        f"{container['template']} {container['version']}",
        _address(container),
        _count(container["cpus"]),
        _memory(container),
        format_share(container["disk_used_bytes"], container["disk_bytes"]),
        _home(container),
        ", ".join(container["gpus"]) or "none",
        _until(container),
        container["trouble"] or "",
    )


def of_container(container: Mapping[str, Any]) -> Summary:
    access = container["access"]
    rows = [
        ("state", _state(container)),
        *_way_out(container),
        *_time(container),
        ("log in", access["ssh"] or "not possible without an address"),
        *([("desktop", f"{access['rdp']} (RDP)")] if access["rdp"] else []),
        *([("own keys", _own_keys(container["own_keys"]))] if container.get("own_keys") else []),
        ("address", _address(container)),
        ("template", f"{container['template']} {container['version']}"),
        ("cpus", _count(container["cpus"]) + _giver(container, "limits.cpu")),
        ("memory", _memory_in_full(container)),
        ("processes", _processes(container["processes"]) + _giver(container, "limits.processes")),
        ("disk", f"{_disk(container)} used"),
        ("ids", _ids(container)),
        *_gpus(container),
        *(_volume(volume) for volume in container["volumes"]),
        *(("share", shares.line(share)) for share in container.get("shares") or ()),
        *([("snapshots", ", ".join(container["snapshots"]))] if container["snapshots"] else []),
        *([("kept root", _kept_root(container))] if container.get("kept_root") else []),
        *(("of the profile", line) for line in _of_profile(container["profile"])),
    ]
    return container["name"], rows, [_DF]


def of_stamped(stamped: Provisioned) -> Summary:
    """The summary that its user is sent; the password stands in it this once."""
    if stamped.summary is None:
        return "", [], []
    name, rows, footer = of_container(stamped.summary)
    if stamped.password is not None:
        rows.insert(2, ("password", f"{stamped.password}  (shown this once)"))
    if not stamped.changed:
        footer.append("It is as requested; nothing was changed.")
    return name, rows, footer


def document(stamped: Provisioned) -> dict[str, Any]:
    """The JSON of `provision`: what `show` gives, and the password when one was made."""
    made = {} if stamped.password is None else {"password": stamped.password}
    return {**(stamped.summary or {}), **made}


def of_removal(name: str, removed: Removed, *, question: bool = False) -> str:
    """What `destroy` took and kept, or asks to."""
    verb = "This removes" if question else "Removed"
    lines = [f"{verb}: {', '.join(removed.removed) or 'nothing'}."]
    if removed.kept:
        keeps = "It keeps" if question else "Kept"
        lines += [
            f"{keeps}: {', '.join(removed.kept)}. The next `invoke provision {name}` uses it "
            f"again; `invoke destroy {name} --purge` removes it."
        ]
    if removed.attached:
        verb = "It does not touch" if question else "Not touched"
        lines += [f"{verb}: {', '.join(removed.attached)}."]
    if question:
        lines += ["Continue?"]
    return "\n".join(lines)


def _state(container: Mapping[str, Any]) -> str:
    half = container["half_made"]
    if container.get("moved_to"):
        return f"moved to {container['moved_to']}"
    if half is None:
        return str(container["state"])
    return "being made" if half["at_work"] else "half made"


def _way_out(container: Mapping[str, Any]) -> list[tuple[str, str]]:
    half = container["half_made"]
    if half is None:
        return []
    if half["at_work"]:
        return [("", f"by {half['by']}")]
    may = "was interrupted" if half["at_work"] is False else "may still be making it"
    return [("", f"{half['by']} {may}; to finish it: {half['fix']}")]


def _until(container: Mapping[str, Any]) -> str:
    """`2027-01-31, warned`; a dash where there is no end."""
    until, done = container["until"], container["expiry"]
    if until is None or until == "never":
        return "-"
    return f"{until}, {done['state']}" if done else str(until)


def _time(container: Mapping[str, Any]) -> list[tuple[str, str]]:
    until, frozen, name = _until(container), container["frozen_until"], container["name"]
    rows = []
    if until != "-":
        rows.append(("until", f"{until}; for more time: invoke renew {name} --until DATE"))
    if frozen is not None:
        rows.append(("frozen", f"no step of its end is taken until {frozen}"))
    if container["mail"] is not None:
        rows.append(("mail", container["mail"]))
    return rows


def _gpus(container: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not container["gpus"] and not container["driver"]:
        return [("gpus", "none")]
    name = container["name"]
    gpus = [("gpu", _gpu(gpu)) for gpu in container["cards"]]
    gpus += [("gpu", _missing(one)) for one in container["missing_cards"]]
    mend = [("", f"fix: {container['mend']}")] if container["missing_cards"] else []
    return [*(gpus or [("gpus", "none")]), *mend, *_driver(container, name)]


def _gpu(gpu: Mapping[str, Any]) -> str:
    part = f", only {', '.join(gpu['mig'])}" if gpu["mig"] else ""
    return f"{gpu['index']}  {gpu['pci']}  {gpu['model']}{part}"


def _missing(one: Mapping[str, Any]) -> str:
    return f"{one['pci']} {'moved to ' + one['now'] if one['now'] else 'is missing'}"


def _driver(container: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    inside, host = container["driver"], container["host_driver"]
    if container["drift"]:
        has = inside or "none"
        return [("driver", f"{has}, the host runs {host}; fix: invoke sync-drivers {name}")]
    if inside:
        return [("driver", inside)]
    injected = container["delivery"] in {"runtime", "cdi"}
    return [("driver", f"{host}, from the host")] if injected and host else []


def _address(container: Mapping[str, Any]) -> str:
    return ", ".join(container["ipv4"]) or "-"


def _count(cpus: int | None) -> str:
    return "all" if cpus is None else str(cpus)


def _memory(container: Mapping[str, Any]) -> str:
    used = _memory_used(container)
    if container["memory_bytes"] is None and container["memory_limit"]:
        # A share of the host's, which only LXD knows where it is on another machine.
        return f"{_size(used, unsaid='?')}/{container['memory_limit']}"
    return format_share(used, container["memory_bytes"])


def _memory_used(container: Mapping[str, Any]) -> int | None:
    """Without the cache, where that is known: the kernel gives that to others."""
    held, used = container["memory_held_bytes"], container["memory_used_bytes"]
    found: int | None = used if held is None else held
    return found


def _memory_in_full(container: Mapping[str, Any]) -> str:
    limit = _size(container["memory_bytes"], unsaid=container["memory_limit"] or "the host's")
    used, whole = _memory_used(container), container["memory_used_bytes"]
    # What only LXD tells has the cache in it.
    cache = (whole - used) if used is not None and container["memory_held_bytes"] is not None else 0
    more = f", and {format_size(cache)} more, mostly cache" if cache > 0 else ""
    return f"{_size(used, unsaid='?')} of {limit} used{more}{_giver(container, 'limits.memory')}"


def _giver(container: Mapping[str, Any], key: str) -> str:
    """That a profile has the limit KEY, and not the container itself."""
    return " (limit of a profile)" if key in container["profile"]["config"] else ""


def _home(container: Mapping[str, Any]) -> str:
    if container["home_bytes"] is None and container["home_used_bytes"] is None:
        return "-"
    return format_share(container["home_used_bytes"], container["home_bytes"])


def _processes(most: int | None) -> str:
    return "as many as the host has" if most is None else f"{most} at most"


def _kept_root(container: Mapping[str, Any]) -> str:
    kept, name = container["kept_root"], container["name"]
    used = _size(kept["used_bytes"], unsaid="?")
    return (
        f"{kept['template']} {kept['version']}, replaced {kept['since'][:10]}, {used}; to return: "
        f"invoke upgrade {name} --back; to remove it: invoke upgrade {name} --forget"
    )


def _own_keys(count: int) -> str:
    keys = "key" if count == 1 else "keys"
    return f"{count} more {keys} can log in, from the user's ~/.ssh/authorized_keys"


def _ids(container: Mapping[str, Any]) -> str:
    ids = container["ids"]
    if ids is None:
        return f"shared with other containers; to separate them: invoke isolate {container['name']}"
    return f"its own: {ids['base']} to {ids['base'] + ids['size'] - 1} on the server"


def _of_profile(found: Mapping[str, Any]) -> list[str]:
    """A line each; without the NIC, which every container has."""
    lines = [f"{key}: {value}" for key, value in found["config"].items()]
    for name, device in found["devices"].items():
        if device.get("type") != "nic":
            where = f"{device['source']} at {device['path']}" if "source" in device else ""
            lines.append(f"{device.get('type')} {name}{': ' if where else ''}{where}")
    return lines


def _size(size: int | None, *, unsaid: str) -> str:
    return unsaid if size is None else format_size(size)


def _disk(container: Mapping[str, Any]) -> str:
    used = _size(container["disk_used_bytes"], unsaid="?")
    return f"{used} of {_size(container['disk_bytes'], unsaid='the pool')}"


def _volume(volume: Mapping[str, Any]) -> tuple[str, str]:
    path = volume.get("path") or "/home"
    quota = _size(volume.get("size_bytes"), unsaid="the pool")
    used = f"{_size(volume.get('used_bytes'), unsaid='?')} of {quota} used, kept by destroy"
    return ("home", used) if path == "/home" else ("volume", f"{path}: {used}")
