#!/bin/sh
# STAND-IN of labstamp's tests for NVIDIA-Linux-x86_64-@VERSION@.run: a shell script with an
# archive behind it, that takes the options of the real one. See README.md beside its source.
set -eu
version_string="@VERSION@"
log=${STANDIN_LOG:-/var/log/nvidia-installer.log}
# As the real one's --advanced-options lists them, as far as anybody might want them here.
options="--accept-license --silent --no-questions --ui --no-kernel-module --no-nouveau-check
    --no-x-check --no-backup --no-distro-scripts --no-check-for-alternate-installs
    --no-nvidia-modprobe --no-systemd --no-rebuild-initramfs --skip-depmod --skip-module-unload
    --allow-installation-with-running-driver --no-dkms --no-drm --no-opengl-files --no-install-compat32-libs
    --uninstall --check --info --version --advanced-options --help -s -x -q -a"

say() { printf '%s\n' "$1" >&2; printf '%s\n' "$1" 2>/dev/null >>"$log" || true; }
payload() { sed '1,/^__ARCHIVE__$/d' "$0"; }

takes() {
    for option in $options; do [ "$1" != "$option" ] || return 0; done
    return 1
}

silent="" module=yes action=install
for argument in "$@"; do
    takes "${argument%%=*}" || { say "ERROR: Invalid commandline, please run \`$0 --help\` for usage information." && exit 1; }
    case $argument in
        --silent | -s) silent=yes ;;
        --no-kernel-module) module="" ;;
        --uninstall | --check | --info | --version | --advanced-options | --help) action=${argument#--} ;;
    esac
done

case $action in
    info | version) echo "nvidia-installer:  version $version_string (STAND-IN)" && exit ;;
    help | advanced-options) echo "$options" && exit ;;
    check)
        payload | sha256sum | grep -q '^@SHA256@ ' || { echo "Error in checksums: the archive is damaged." >&2 && exit 1; }
        echo "Verifying archive integrity... OK"
        exit
        ;;
    uninstall)
        rm -f /usr/bin/nvidia-smi /usr/bin/nvidia-uninstall /usr/lib/@TRIPLET@/libcuda.so.* /usr/lib/@TRIPLET@/libnvidia-ml.so.*
        exit
        ;;
esac
[ -n "$silent" ] || { say "ERROR: Unable to load: nvidia-installer ncurses v6 user interface" && exit 1; }
if [ -n "$module" ]; then
    say "ERROR: Unable to find the kernel source tree for the currently running kernel."
    exit 1
fi
payload | tar -x -z -C / --no-same-owner
say "Installation of the NVIDIA Accelerated Graphics Driver for Linux-x86_64 (version: $version_string) is now complete."
exit 0
# shellcheck disable=SC2317 # what follows is the archive
__ARCHIVE__
