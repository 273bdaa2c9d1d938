"""What `invoke` offers. Each command is in commands/, what it does is in the wings."""

from invoke.collection import Collection

from commands import containers, drivers, hook, host, images, isolation, releases, welcome

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
    containers.destroy,
    drivers.drivers,
    drivers.sync_drivers,
    isolation.isolate,
)
namespace.add_collection(
    Collection(
        "host",
        host.setup,
        host.check,
        host.gpus,
        hook.install_gpu_unit,
        hook.remove_gpu_unit,
        hook.install_driver_hook,
        hook.remove_driver_hook,
        hook.after_driver_update,
    )
)
