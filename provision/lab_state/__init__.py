"""All that labstamp keeps in LXD, as one file; put back after LXD lost its database."""
