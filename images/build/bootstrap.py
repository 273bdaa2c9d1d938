"""Roots made by mmdebstrap from the configured mirror, and the metadata that LXD wants beside."""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from shlex import quote

import yaml

from images.build.apt_login import auth_conf_of
from images.context import BuildContext, Log
from images.releases.root_file import Content, content_of, root_beside
from images.templates.distro import Distro
from lab.certificate_authorities import STORE, read_authorities, untrusted
from lab.errors import CapacityError, CheckError, InputError
from lab.machine import apt_auth
from lab.machine.apt_sources import Terms
from lab.settings.source import Bootstrap, File
from lab.tempdir import shared_temp_directory
from lab.urls import without_login, without_password

_LOGIN_FILE = f'"$1"{apt_auth.FILE}'
_KEEP_LOGIN = (
    f'mkdir -p "$1"{PurePosixPath(apt_auth.FILE).parent} && umask 077 && cat >{_LOGIN_FILE}'
)
_APT_CONFIG = '"$1"/etc/apt/apt.conf.d/00labstamp-bootstrap'
ROOM_NEEDED = 2 * 1024**3
"""Bytes of scratch space that a minbase tree and its tarball take, with room to spare."""


def make_root(
    context: BuildContext, source: Bootstrap, scratch: Path, log: Log
) -> tuple[Path, Path]:
    """Metadata and root tarballs of a fresh minimal system, in SCRATCH."""
    mirror = _mirror(context)
    if shutil.which("mmdebstrap") is None:
        raise InputError("mmdebstrap is not installed.", fix="sudo apt-get install mmdebstrap")
    if shutil.disk_usage(scratch).free < ROOM_NEEDED:
        raise CapacityError(
            f"Less than 2 GiB free in {scratch.parent} for the scratch tree of mmdebstrap.",
            fix="Free some space there, or set TMPDIR to a larger disk.",
        )
    rootfs = scratch / "rootfs.tar"
    login = auth_conf_of(context)
    with shared_temp_directory() as shared:
        argv = command(
            source,
            archives=_archives(context, source, mirror, shared),
            target=rootfs,
            proxy=context.settings.proxy,
            authorities=_authorities(context, shared),
            login=bool(login),
        )
        log.write("+ " + without_password(" ".join(argv)) + "\n")
        output = _run(argv, log, login)
    if output is not None:
        raise _explained(output, without_password(mirror), context, log)
    metadata = scratch / "metadata.tar"
    write_metadata(context.distro, metadata)
    return metadata, rootfs


def command(
    source: Bootstrap,
    *,
    archives: Sequence[str],
    target: Path,
    proxy: str | None = None,
    authorities: Path | None = None,
    login: bool = False,
) -> list[str]:
    """The mmdebstrap call; ARCHIVES are apt's one-line sources. Pure but for who runs it.

    AUTHORITIES: a file with all that https mirrors may be signed by, where that of the host will
    not do. LOGIN: users and passwords for apt come through stdin. The call is seen by every account
    of this machine, and the environment by that of apt's own programs.
    """
    hooks = [f"systemctl --root=$1 enable {unit}" for unit in source.enable]
    hooks += [f"systemctl --root=$1 mask {unit}" for unit in source.mask]
    configured = []
    if proxy:
        plain = without_login(proxy)
        configured += [f'Acquire::{kind}::Proxy "{plain}";' for kind in ("http", "https")]
    if authorities:
        configured.append(f'Acquire::https::CaInfo "{authorities}";')
    as_root = os.geteuid() == 0
    return [
        *(["eatmydata"] if as_root and shutil.which("eatmydata") else []),
        "mmdebstrap",
        "--variant=minbase",
        f"--mode={'root' if as_root else 'unshare'}",
        f"--components={','.join(source.components)}",
        f"--include={','.join(source.include)}",
        *([f"--keyring={source.keyring}"] if source.keyring else []),
        # Not by --aptopt, which would stay in the root, and in every image.
        *(f"--setup-hook=echo {quote(line)} >>{_APT_CONFIG}" for line in configured),
        *([f"--customize-hook=rm {_APT_CONFIG}"] if configured else []),
        *([f"--setup-hook={_KEEP_LOGIN}", f"--customize-hook=rm {_LOGIN_FILE}"] if login else []),
        # Unit names come from the distribution's own file, validated there.
        *(f"--customize-hook={hook.replace('$1', chr(34) + '$1' + chr(34))}" for hook in hooks),
        source.suite,
        str(target),
        *archives,
    ]


def write_metadata(distro: Distro, target: Path) -> None:
    """LXD's `metadata.yaml` in a tarball, as image import wants it."""
    text = yaml.safe_dump(
        {
            "architecture": platform.machine(),
            "creation_date": int(time.time()),
            "properties": {"os": distro.family, "release": distro.codename},
            # Without these a clone would keep the builder's host name.
            "templates": {
                "/etc/hostname": {
                    "when": ["create", "copy", "rename"],
                    "template": "hostname.tpl",
                },
            },
        }
    )
    with tarfile.open(target, "w") as archive:
        _add(archive, "metadata.yaml", text)
        _add(archive, "templates/hostname.tpl", "{{ container.name }}\n")


def with_metadata(distro: Distro, source: File, scratch: Path) -> tuple[Path, Path | None]:
    """What to import for a file source: metadata and root; a bare root gets metadata made."""
    content = content_of(source.path)
    if source.metadata is not None:
        if content is not Content.ROOT:
            raise InputError(
                f"The source file {source.path} is {content.value}; with a metadata file, "
                "it must be a root file system.",
                fix="Correct `source:` in lab.yaml: a whole image has a path and no metadata file.",
            )
        return source.metadata, source.path
    if content is Content.IMAGE:
        return source.path, None
    if content is Content.METADATA:
        return source.path, root_beside(source.path)
    metadata = scratch / "metadata.tar"
    write_metadata(distro, metadata)
    return metadata, source.path


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    entry.mtime = int(time.time())
    archive.addfile(entry, io.BytesIO(text.encode()))


def _archives(context: BuildContext, source: Bootstrap, mirror: str, shared: Path) -> list[str]:
    """The release with its updates, so that a first boot has next to nothing to upgrade."""
    components = " ".join(source.components)
    suites = [source.suite]
    if source.suite == context.distro.codename:
        suites = list(context.distro.suites)
    deb = f"deb {options(context.mirrors.main_terms, shared / 'main')}{without_login(mirror)}"
    lines = [f"{deb} {suite} {components}" for suite in suites]
    if context.mirrors.security is not None and len(suites) > 1:
        terms = options(context.mirrors.security_terms, shared / "security")
        deb = f"deb {terms}{without_login(context.mirrors.security)}"
        lines.append(f"{deb} {context.distro.security_suite} {components}")
    return lines


def options(terms: Terms, key: Path) -> str:
    """`[…] ` of a one-line source, where TERMS are not the usual; a key of theirs goes to KEY."""
    found = []
    if terms.key is not None:
        # apt tells by the ending which form a key has.
        armoured = terms.key.startswith(b"-----BEGIN")
        key = key.with_suffix(".asc" if armoured else ".gpg")
        key.write_bytes(terms.key)
        key.chmod(0o644)
        found.append(f"signed-by={key}")
    if not terms.check_valid_until:
        found.append("check-valid-until=no")
    if terms.trusted:
        found.append("trusted=yes")
    return f"[{' '.join(found)}] " if found else ""


def _authorities(context: BuildContext, shared: Path) -> Path | None:
    """Those of this host and of the settings in one file: apt takes it in place of the host's."""
    own = read_authorities(context.settings.ca_certificates)
    if not own:
        return None
    hosts = STORE.read_text(encoding="ascii", errors="ignore") if STORE.exists() else ""
    file = shared / "authorities.crt"
    file.write_text("\n".join([hosts, *own, ""]), encoding="ascii")
    file.chmod(0o644)
    return file


def _mirror(context: BuildContext) -> str:
    if context.mirrors.main is None:
        raise InputError(
            f"No apt mirror for {context.distro.name}: this host's apt sources name none.",
            details="\n".join(context.mirrors.unusable) or None,
            fix="Set `mirror:` in lab.yaml, for instance mirror: https://mirror.example/"
            f"{context.distro.family}",
        )
    return context.mirrors.main


def _run(argv: list[str], log: Log, stdin: str) -> str | None:
    """None when ARGV succeeded, else all it printed."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    heard: list[str] = []
    with subprocess.Popen(
        # Were we killed, it would go on for nobody, and leave its tree behind.
        ["setpriv", "--pdeathsig", "TERM", "--", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        try:
            if process.stdin:
                process.stdin.write(stdin)
                process.stdin.close()
            for line in process.stdout or ():
                heard.append(line)
                log.write(line)
        except BaseException:
            # mmdebstrap unmounts and removes its tree when asked to end.
            process.terminate()
            raise
    return None if process.returncode == 0 else "".join(heard)


def _explained(output: str, mirror: str, context: BuildContext, log: Log) -> Exception:
    unreachable = (
        "Could not connect",
        "Could not resolve",
        "Failed to fetch",
        "Connection refused",
    )
    last = "\n".join([line for line in output.splitlines() if line.strip()][-8:])
    if "Unable to locate package" in output or "no installation candidate" in output:
        lines = [line for line in output.splitlines() if line.startswith("E: ")]
        return InputError(
            f"The mirror {mirror} lacks a package that {context.distro.name} needs.",
            details="\n".join(lines),
            fix="Check `source: {kind: bootstrap, include: …}` in "
            f"images/distros/{context.distro.name}.yaml.",
        )
    if said := untrusted(output):
        return InputError(
            f"The certificate of the apt mirror {mirror} is not trusted.",
            details=said[0],
            fix=said[1],
        )
    if any(word in output for word in unreachable):
        return InputError(
            f"The apt mirror {mirror} cannot be reached.",
            details="\n".join(_errors_with(unreachable, output)[:3]) or last,
            fix="Check that the mirror answers (curl -I), or set `mirror:` and `proxy:` in "
            "lab.yaml.",
        )
    return CheckError(
        "mmdebstrap could not make the root file system.",
        details=last,
        fix=f"Read the full log: {log.path}",
    )


def _errors_with(words: Iterable[str], output: str) -> list[str]:
    """apt's own errors, without what it says on the way to them."""
    lines = [line for line in output.splitlines() if line.startswith("E: ")]
    return [line for line in lines if any(word in line for word in words)]
