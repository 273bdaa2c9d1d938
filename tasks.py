"""What `invoke` offers. Each command is in commands/, what it does is in the wings."""

from invoke.collection import Collection

from commands import containers, host, images

namespace = Collection(
    images.build_images,
    images.list_images,
    images.render,
    images.check_definitions,
    containers.provision,
    containers.list_containers,
    containers.show,
    containers.start,
    containers.stop,
    containers.restart,
    containers.destroy,
)
namespace.add_collection(Collection("host", host.setup))
