#!/bin/sh
# The key of RDP was made by this instance's first boot, which also wrote the machine-id; xrdp
# can read it and nobody else.
set -eu
key=/etc/xrdp/key.pem
[ "$key" -nt /etc/machine-id ] || { echo "$key is older than this machine" && exit 1; }
[ "$(stat -c '%U:%G %a' $key)" = 'root:xrdp 640' ] || { stat $key && exit 1; }
