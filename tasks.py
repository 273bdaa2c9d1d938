"""What `invoke` and `labstamp` offer: each command is in commands/, its work in other packages."""

from invoke.collection import Collection

from commands import (
    backups,
    changing,
    checkout,
    containers,
    drivers,
    host,
    host_units,
    images,
    isolation,
    program,
    releases,
    settings,
    shares,
    snapshots,
    upgrade,
    welcome,
)

namespace = Collection(
    welcome.welcome,
    images.build_images,
    images.smoke_images,
    images.list_images,
    images.render,
    images.check_definitions,
    releases.promote,
    releases.rollback,
    releases.prune_images,
    releases.export_image,
    releases.import_image,
    releases.diff_images,
    containers.provision,
    containers.list_containers,
    containers.show,
    containers.start,
    containers.stop,
    containers.restart,
    changing.resize,
    changing.rename,
    containers.clone,
    containers.destroy,
    upgrade.upgrade,
    shares.share,
    shares.unshare,
    shares.list_shares,
    snapshots.snapshot,
    snapshots.snapshots,
    snapshots.restore,
    snapshots.remove_snapshot,
    snapshots.schedule_snapshots,
    backups.backup,
    backups.backups,
    backups.restore_backup,
    backups.verify_backup,
    drivers.drivers,
    drivers.sync_drivers,
    isolation.isolate,
    settings.settings,
)
namespace.add_collection(
    Collection(
        "host",
        host.setup,
        host.check,
        host.gpus,
        host_units.install_gpu_unit,
        host_units.remove_gpu_unit,
        host_units.install_driver_hook,
        host_units.remove_driver_hook,
        host_units.after_driver_update,
        host_units.install_snapshot_timer,
        host_units.remove_snapshot_timer,
        host_units.take_snapshots,
        host_units.install_backup_timer,
        host_units.remove_backup_timer,
        host_units.make_backups,
    )
)
checkout.refuse_mistyped(namespace)


def main() -> None:
    """Run `labstamp`, which is installed."""
    program.run(namespace)
