#!/bin/sh
# GNOME without what wears out a server with many homes. Runs once, in the builder of gnome-xrdp.
set -eu

# The file indexer (tracker until GNOME 47, then localsearch) would read through every data set
# in a home; searching by name works without.
systemctl --global mask tracker-miner-fs-3.service tracker-miner-fs-control-3.service \
    localsearch-3.service localsearch-control-3.service

# With GNOME's own settings beside those of desktop.sh.
dconf update
