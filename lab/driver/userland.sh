#!/bin/sh
# What has to be done in here to bring NVIDIA's userland. What is installed and what goes is decided
# outside (lab/driver/packages.py), by what the first five say; the last two change packages.
#   userland.sh installed                  STATUS NAME ARCHITECTURE VERSION of what dpkg has
#   userland.sh offers NAME...             apt-cache madison of these, after an update
#   userland.sh update                     apt-get update, which never fails; what it says to stderr
#   userland.sh files DIRECTORY            NAME VERSION of its .deb files
#   userland.sh simulate PINS WORD...      what apt-get install WORD... says it would do
#   userland.sh install PINS HOLD WORD...  does it, and holds the packages HOLD (names in one word)
#   userland.sh run PINS FILE WORD...      does it, and starts NVIDIA's installer FILE
# PINS is a file for apt's preferences. The old ones are back when anything fails; packages that
# were removed for NVIDIA's installer are not: who calls this has a snapshot, or throws all away.
# Each may be started twice with the same words: the second time finds nothing to do.
set -eu
verb=$1
shift
pins=/etc/apt/preferences.d/labstamp-nvidia
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

update() { # a source of the user's that is gone is no reason to fail, as long as ours are there
    apt-get update -qq -o DPkg::Lock::Timeout=300 >&2 || true
}

pin() { # $1: the file
    work=$(mktemp -d)
    [ ! -e "$pins" ] || cp "$pins" "$work/pins"
    trap unpin EXIT
    cp "$1" "$pins"
}

unpin() {
    if [ -e "$work/pins" ]; then cp "$work/pins" "$pins"; else rm -f "$pins"; fi
    rm -rf "$work"
}

keep_pins() {
    trap - EXIT
    rm -rf "$work"
}

get() {
    # What is thrown away when it breaks need not reach the disk at every step.
    ${LABSTAMP_THROWAWAY:+$(command -v eatmydata)} apt-get install --yes --no-install-recommends \
        --allow-downgrades --allow-change-held-packages -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confold -o APT::Get::AutomaticRemove=false "$@"
}

is_gone() { # apt fails at NAME- where nobody knows NAME any more
    case $1 in *-) ;; *) return 1 ;; esac
    case $(dpkg-query --show --showformat '${db:Status-Abbrev}' "${1%-}" 2>/dev/null) in
        "" | ?[nc]*) ;;
        *) return 1 ;;
    esac
}

bring() { # WORD...: all of it is here before anything goes
    for word; do
        shift
        is_gone "$word" || set -- "$@" "$word"
    done
    [ $# -eq 0 ] || get --download-only "$@"
    remove_run
    [ $# -eq 0 ] || get "$@"
}

remove_run() { # what NVIDIA's installer put here, if it did
    uninstaller=$(command -v nvidia-uninstall || command -v nvidia-installer) || return 0
    ! dpkg-query --search "$uninstaller" >/dev/null 2>&1 || return 0
    set -- --silent
    ! "$uninstaller" --advanced-options 2>/dev/null | grep -q -- '--skip-module-unload' ||
        set -- "$@" --skip-module-unload
    case $uninstaller in *nvidia-installer) set -- --uninstall "$@" ;; esac
    "$uninstaller" "$@"
}

installer() { # $1: the file
    set -- "$1" --silent --no-questions --ui=none --accept-license --no-kernel-module \
        --no-nouveau-check --no-x-check --no-backup --no-distro-scripts \
        --no-check-for-alternate-installs
    for option in --no-nvidia-modprobe --no-systemd --no-rebuild-initramfs --skip-depmod \
        --allow-installation-with-running-driver; do
        ! sh "$1" --advanced-options 2>/dev/null | grep -q -- "$option" || set -- "$@" "$option"
    done
    sh "$@" || { tail -n 12 /var/log/nvidia-installer.log >&2 2>/dev/null; exit 1; }
}

remove_stubs() { # that LXD left when it mounted another version here (canonical/lxd#17877)
    find /usr/bin /usr/lib -xdev -type f -size 0 \
        \( -name 'nvidia-*' -o -name 'libnvidia-*.so*' -o -name 'libcuda*.so*' -o -name 'libnv*.so*' \) |
        while read -r stub; do
            dpkg-query --search "$stub" >/dev/null 2>&1 || rm -f "$stub" || true
        done
}

case $verb in
    installed)
        # A run that was cut off may have left packages unpacked; of broken ones apt will tell.
        dpkg --configure -a >/dev/null 2>&1 || true
        dpkg-query --show \
            --showformat '${db:Status-Abbrev} ${binary:Package} ${Architecture} ${Version}\n'
        ;;
    offers)
        update
        # shellcheck disable=SC2046 # names of packages
        apt-cache madison "$@" $(apt-cache pkgnames nvidia-utils-) 2>/dev/null || true
        ;;
    update)
        update
        ;;
    files)
        # shellcheck disable=SC2016 # they are for dpkg-deb
        for file in "$1"/*.deb; do
            dpkg-deb --show --showformat '${Package} ${Version}\n' "$file"
        done
        ;;
    simulate)
        pin "$1"
        shift
        get --simulate "$@" 2>&1
        ;;
    install)
        pin "$1"
        hold=$2
        shift 2
        bring "$@"
        keep_pins
        remove_stubs
        # shellcheck disable=SC2086 # names of packages
        [ -z "$hold" ] || apt-mark hold $hold >/dev/null
        ldconfig
        ;;
    run)
        pin "$1"
        file=$2
        shift 2
        bring "$@"
        installer "$file"
        keep_pins
        remove_stubs
        ldconfig
        ;;
esac
