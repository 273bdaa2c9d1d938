"""`containers.yaml`: the lab's people as a file, `apply` and `export-lab`."""
