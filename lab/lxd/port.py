"""What labstamp asks of LXD. Every verb is finished when it returns, or raises a LabError.

Raised by all: LxdUnreachable, LxdError. NotFound and Conflict as each verb says.
Names are those of one project (`in_project` for another); images and volumes are shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from lab.lxd.idmap import IdRange
from lab.lxd.model import (
    Completed,
    Gpu,
    Image,
    Instance,
    InstanceSpec,
    InstanceState,
    Network,
    Pool,
    Profile,
    Progress,
    Server,
    Snapshot,
    Volume,
)
from lab.machine.cgroup import Memory
from lab.machine.terminal import Streams

OnProgress = Callable[[Progress], None]
OnOutput = Callable[[str], None]


class Lxd(Protocol):
    @property
    def project(self) -> str: ...

    def in_project(self, name: str) -> Lxd:
        """The same server, another project."""

    # server
    def server(self) -> Server: ...
    def now(self) -> datetime:
        """By the server's clock, in whole seconds."""

    def gpus(self) -> tuple[Gpu, ...]:
        """NVIDIA's GPUs in the order of `nvidia-smi`: by PCI address, those it runs first.

        A GPU that was handed to virtual machines (vfio-pci) is none.
        """

    def id_range(self) -> IdRange | None:
        """The ids that containers may have, as the machine's files say; None for one elsewhere."""

    def projects(self) -> Mapping[str, Mapping[str, str]]:
        """Name → config."""

    def create_project(self, name: str, config: Mapping[str, str]) -> None: ...
    def delete_project(self, name: str) -> None: ...
    def pools(self) -> tuple[Pool, ...]: ...
    def create_pool(self, name: str, driver: str, config: Mapping[str, str]) -> None: ...
    def networks(self) -> tuple[Network, ...]: ...
    def create_network(self, name: str, config: Mapping[str, str]) -> None:
        """A managed bridge."""

    def network_acls(self) -> Mapping[str, Sequence[Mapping[str, str]]]:
        """Name → the rules for what comes in. None where LXD knows no ACLs (`network_acl`)."""

    def set_network_acl(self, name: str, ingress: Sequence[Mapping[str, str]]) -> None:
        """An ACL with these rules for what comes in, made or changed. Needs `network_acl`."""

    def profile(self, name: str) -> Profile | None: ...
    def set_profile_devices(self, name: str, devices: Mapping[str, Mapping[str, str]]) -> None:
        """Replace the devices of an existing profile."""

    def set_profile(
        self, name: str, config: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]
    ) -> None:
        """A profile of exactly this, made or changed."""

    # images
    def images(self) -> tuple[Image, ...]: ...
    def image(self, fingerprint: str) -> Image | None: ...
    def aliases(self) -> Mapping[str, str]:
        """Alias → fingerprint."""

    def set_alias(self, name: str, fingerprint: str) -> None:
        """Create the alias, or move it by one PUT: it is never missing in between."""

    def delete_alias(self, name: str) -> None:
        """Gone afterwards, also when it was not there."""

    def publish(
        self,
        instance: str,
        *,
        aliases: Sequence[str],
        properties: Mapping[str, str],
        compression: str,
        on_progress: OnProgress | None = None,
    ) -> Image:
        """Make an image of a stopped INSTANCE. Conflict when an alias exists (looked up first).

        COMPRESSION: `none`, `zstd`, `gzip` …, as LXD's `compression_algorithm`.
        """

    def publish_packed(
        self,
        instance: str,
        files: Sequence[str],
        *,
        aliases: Sequence[str],
        properties: Mapping[str, str],
        on_progress: OnProgress | None = None,
    ) -> Image:
        """Make an image of what FILES, paths in INSTANCE, are together: a unified image, packed.

        Conflict when an alias exists (looked up first), NotFound when a file is not there.
        INSTANCE may be running. ALIASES are set when the image is there.
        """

    def image_parts(self, instance: str) -> Mapping[str, bytes]:
        """What an image of INSTANCE has beside `rootfs/`: `metadata.yaml` and `templates/NAME`.

        Made as of now, and without properties.
        """

    def import_image(
        self,
        metadata: Path,
        rootfs: Path | None,
        *,
        properties: Mapping[str, str],
        on_progress: OnProgress | None = None,
    ) -> Image:
        """Upload METADATA (a tarball with metadata.yaml; unified when ROOTFS is None).

        The image that is already there is returned when its fingerprint is the same.
        """

    def download_image(
        self,
        server: str,
        alias: str,
        *,
        protocol: str = "simplestreams",
        certificate: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Image:
        """Let LXD fetch ALIAS from an image SERVER (https URL) into its own store.

        CERTIFICATE: the server's, in PEM form, where no authority known to LXD has signed it.
        """

    def export_image(
        self, fingerprint: str, directory: Path, *, on_progress: OnProgress | None = None
    ) -> tuple[Path, Path | None]:
        """Write the image's files into DIRECTORY: what `import_image` takes, byte for byte.

        LxdError when what came is not the image of that FINGERPRINT.
        """

    def set_image_properties(self, fingerprint: str, properties: Mapping[str, str]) -> None:
        """Add or change PROPERTIES, keep the others."""

    def delete_image(self, fingerprint: str) -> None:
        """Gone afterwards, its aliases too; also when it was not there."""

    # instances
    def instances(self) -> tuple[Instance, ...]: ...
    def instance(self, name: str) -> Instance | None: ...
    def create(self, spec: InstanceSpec, *, on_progress: OnProgress | None = None) -> Instance:
        """Make a stopped instance. Conflict when the name is taken."""

    def update(
        self,
        name: str,
        *,
        config: Mapping[str, str | None] | None = None,
        devices: Mapping[str, Mapping[str, str] | None] | None = None,
        profiles: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Instance:
        """Change keys and devices; None removes one. Safe against a concurrent change (ETag).

        All of it is one change. PROFILES, in their order, replace those that it has.
        """

    def start(self, name: str) -> None:
        """Running afterwards; details of the error hold the instance's own log."""

    def stop(self, name: str, *, force: bool = False, timeout: int = 30) -> None:
        """Stopped afterwards; a clean shutdown that takes more than TIMEOUT seconds is forced."""

    def delete(self, name: str) -> None:
        """Gone afterwards (stopped by force first), also when it was not there."""

    def rename(self, name: str, new_name: str) -> None:
        """Of a stopped instance. Conflict when the new name is taken.

        LXD gives it another id for cloud-init, which would begin from the start at the next boot.
        """

    def state(self, name: str) -> InstanceState: ...
    def local_states(self, instances: Sequence[Instance]) -> Mapping[str, InstanceState]:
        """The states of those of INSTANCES that this machine's kernel tells by itself, by name.

        Quick for any number, and nothing inside can hold it up. The others must be asked one by
        one (`state`): all of an LXD elsewhere, of pools that are not btrfs, and without root.
        Disks by what counts against their quota, which is more than LXD tells (`state`).
        """

    def memory(self, name: str) -> Memory | None:
        """As this machine's kernel counts and limits it; None where that is not to be seen."""

    def config_written(self, name: str) -> datetime | None:
        """When LXD last wrote config and devices of NAME beside its root, for `lxd recover`.

        None where that is not to be seen: LXD is elsewhere, the root not mounted, or this is not
        root.
        """

    def wait_until_idle(self, name: str, *, timeout: float = 600) -> None:
        """Wait until no operation of the server (a publish, a copy) touches the instance."""

    # from another server
    def receive_instance(
        self,
        source: Lxd,
        name: str,
        spec: InstanceSpec,
        *,
        refresh: bool = False,
        snapshots: bool = True,
        on_progress: OnProgress | None = None,
    ) -> Instance:
        """Root and snapshots of the instance NAME at SOURCE as a stopped instance SPEC here.

        With the config, devices and profiles of SPEC alone. REFRESH: it is here already, as it
        keeps them, and gets what has changed since. What a failure leaves of a refresh may be
        half of either; without it, nothing. Conflict when the name is taken.

        SnapshotUnfit where a snapshot's own devices are not possible here. SNAPSHOTS: False for
        the root alone; a REFRESH then removes those that it has here.
        """

    def receive_volume(
        self,
        source: Lxd,
        origin: tuple[str, str],
        pool: str,
        name: str,
        config: Mapping[str, str],
        *,
        refresh: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Files and snapshots of ORIGIN, pool and volume at SOURCE, as the volume NAME of POOL.

        The same for a volume.
        """

    def wait_until_volume_idle(self, pool: str, name: str, *, timeout: float = 600) -> None:
        """Wait until no operation of the server that copies the volume goes on."""

    # inside an instance
    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        on_output: OnOutput | None = None,
    ) -> Completed:
        """Run ARGV as root without a shell. CommandTimeout after TIMEOUT seconds.

        A command that cannot be found ends with exit code 127. STDIN is neither logged nor
        part of argv or config. ON_OUTPUT gets decoded pieces of stdout and stderr as they come.

        ARGV must bear being run twice: LXD sometimes answers that it could not enter the
        instance when it may have, and then it is run again.
        """

    def attach(
        self,
        name: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Run ARGV as root without a shell, with STREAMS as its own, to its end; its exit code.

        Once, and for as long as it takes. It gets a terminal where STREAMS are one. A command that
        cannot be found ends with exit code 127. Killed where this call is left early: by Ctrl-C,
        or by a BrokenPipeError where nobody reads STREAMS any more; what it has started goes on.
        """

    def console_log(self, name: str) -> bytes:
        """What it wrote to its console since its last start, the last 128 KiB; may be nothing."""

    def start_log(self, name: str) -> bytes:
        """What liblxc wrote of its last start and stop: nothing where all went well."""

    def read_file(self, name: str, path: str, *, most: int = ...) -> bytes:
        """NotFound when it is not there, TooMuch beyond MOST bytes. Works on stopped ones, too.

        Not for what a user may have put there: a pipe in its place is Stuck for some seconds.
        """

    def last_written(self, name: str, path: str) -> str | None:
        """When PATH was, to the second, as LXD words it; None when it is not there.

        PATH is not opened, so its type and size do not matter.
        """

    def list_directory(self, name: str, path: str) -> tuple[str, ...]:
        """The names in it, sorted. NotFound when it is not there, LxdError when it is a file.

        Works on stopped instances, too. TooMuch, or Stuck after some seconds, where a user made
        it so: nothing that is in there holds up more than this call.
        """

    def init_pid(self, name: str) -> int | None:
        """The first process of a running instance, by this machine's own numbers.

        None where it is not to be seen from here: LXD is elsewhere, or nothing runs.
        """

    def write_file(
        self, name: str, path: str, content: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0
    ) -> None:
        """Missing parent directories are made (root, 0755)."""

    def delete_file(self, name: str, path: str) -> None:
        """Gone afterwards, also when it was not there."""

    # custom volumes
    def volumes(self, pool: str) -> tuple[Volume, ...]: ...
    def create_volume(self, pool: str, name: str, config: Mapping[str, str]) -> None:
        """Conflict when the name is taken."""

    def copy_volume(
        self, source: tuple[str, str], pool: str, name: str, config: Mapping[str, str]
    ) -> None:
        """The files of SOURCE, pool and name, as they are now, in a new volume with CONFIG alone.

        Conflict when NAME is taken. Without the source's `volatile.idmap.last` in CONFIG, LXD does
        not know whose the files are.
        """

    def update_volume(self, pool: str, name: str, config: Mapping[str, str | None]) -> None: ...
    def volume_used(self, pool: str, name: str) -> int | None:
        """Bytes in it that count against its quota; None where the pool's driver does not tell.

        Where only LXD can be asked, without those that it shares with its snapshots.
        """

    def volume_owner(self, pool: str, name: str) -> int | None:
        """The account that its first directory belongs to, by this machine's own numbers.

        None where that is not to be seen, as with `config_written`.
        """

    def rename_volume(self, pool: str, name: str, new_name: str) -> None:
        """With its snapshots, and in the devices of the instances that have it; none may run.

        Conflict when the new name is taken. Where LXD is cut off, devices may name a volume that
        is not there yet.
        """

    def delete_volume(self, pool: str, name: str) -> None:
        """Gone afterwards, also when it was not there."""

    # files on this machine
    def root_files(self, pool: str, name: str, snapshot: str | None = None) -> Path | None:
        """The directory of the root of the instance NAME in POOL, or of its SNAPSHOT.

        Owners in it are as the instance's `volatile.last_state.idmap` says. None where it is not
        to be seen: LXD is elsewhere, we are not root, the pool's driver mounts it only for use.
        """

    def volume_files(self, pool: str, name: str, snapshot: str | None = None) -> Path | None:
        """The same of a volume, whose owners `volatile.idmap.last` tells."""

    def volume_snapshots(self, pool: str, name: str) -> tuple[str, ...]:
        """Names, oldest first; none where there is no such volume."""

    def volume_snapshots_in_full(self, pool: str, name: str) -> tuple[Snapshot, ...]:
        """The same, with the volume's config at that time."""

    def volume_snapshot_used(self, pool: str, name: str, snapshot: str) -> int | None:
        """Bytes that its removal would give back; None where LXD or the driver does not tell."""

    def create_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        """The files as they are now. Conflict when taken."""

    def copy_volume_snapshot(
        self, pool: str, name: str, snapshot: str, copy: str, config: Mapping[str, str]
    ) -> None:
        """A volume COPY in POOL with the files of SNAPSHOT, and CONFIG alone. Conflict when taken.

        Its files have the owners that they have in the snapshot: say so by `volatile.idmap.last`.
        """

    def restore_volume(self, pool: str, name: str, snapshot: str) -> None:
        """The files as they were; the config stays as it is. No running instance may use it."""

    def delete_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        """Gone afterwards, also when it was not there."""

    # snapshots
    def snapshots(self, name: str) -> tuple[str, ...]:
        """Names, oldest first."""

    def snapshots_in_full(self, name: str) -> tuple[Snapshot, ...]:
        """The same, with the instance's config at that time."""

    def create_snapshot(self, name: str, snapshot: str) -> None:
        """Root, config and devices as they are now; not its custom volumes. Conflict when taken."""

    def restore_snapshot(self, name: str, snapshot: str) -> None:
        """Root, config and devices as they were. What runs is stopped for it and started again."""

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        """Gone afterwards, also when it was not there."""
