"""`move`: a container goes to another server's LXD, with its home, snapshots and wish."""
