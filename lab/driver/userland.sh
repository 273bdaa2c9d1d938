#!/bin/sh
# Brings NVIDIA's userland in here to exactly VERSION, whatever was there before:
#   userland.sh VERSION apt [PACKAGE...]    from apt; the packages by what it offers if not named
#   userland.sh VERSION debs DIRECTORY      all .deb files of DIRECTORY
#   userland.sh VERSION run FILE            NVIDIA's own installer, without a kernel module
# Exit 3: it is not to be had; lines `offered NAME VERSION` say what is. Nothing is changed then,
# nor when anything else is wrong that can be known before.
set -eu
version=$1 way=$2
shift 2
branch=${version%%.*} arch=$(dpkg --print-architecture)
pins=/etc/apt/preferences.d/labstamp-nvidia
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- What is here ---------------------------------------------------------------------------------

# The driver's packages are told by name and by the form of their version: 535.261.03-1. So the
# container toolkit (1.17.8-1) or CUDA's (11.8.89~11.8.0-5) are none of them.
installed() { # name and version of each
    dpkg-query --show --showformat '${db:Status-Abbrev} ${binary:Package} ${Version}\n' |
        awk '$1 !~ /^.[nc]/ && $2 ~ /nvidia|^libcuda|^libnvcuvid|^libnvoptix/ &&
             $3 ~ /^([0-9]+:)?[0-9][0-9][0-9]\.[0-9]/ { sub(":'"$arch"'$", "", $2); print $2, $3 }'
}

is_version() { # 535.261.03-1 and 1:535.261.03-0ubuntu1 are of 535.261.03
    case ${1#*:} in "$version" | "$version"-*) ;; *) return 1 ;; esac
}

know() { # asks apt once for every package that could be of interest: its answers take a while
    # shellcheck disable=SC2046 # names of packages
    apt-cache madison "$@" $(for tool in $tools; do family "$tool"; done) $(installed | counterparts) \
        $(apt-cache pkgnames nvidia-utils-) 2>/dev/null | awk -F ' *[|] *' '{ gsub(" ", "", $1); print $1, $2 }' |
        awk '!seen[$0]++' >"$work/offers"
}

offered() { # the best of our version that apt knows a source of package $1 for; fails without one
    while read -r package offer; do
        [ "$package" != "$1" ] || ! is_version "$offer" || { echo "$offer" && return 0; }
    done <"$work/offers"
    return 1
}

is_desktop() {
    for package in xorgxrdp xserver-xorg-core; do
        [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" != installed ] || return 0
    done
    return 1
}

# --- What to install ------------------------------------------------------------------------------

# $1: the package with nvidia-smi. Debian has names of its own, NVIDIA's archive for Debian another
# one for the tool; Ubuntu names the branch, twice, and NVIDIA's archive for Ubuntu does no longer
# from 590 on (Driver Installation Guide, "Ubuntu 590 and later packages").
family() {
    case $1 in
        nvidia-smi | nvidia-driver-cuda)
            echo "$1 libnvidia-ml1 libcuda1 libnvidia-ptxjitcompiler1 libnvidia-nvvm4 libnvidia-cfg1
                nvidia-opencl-icd libnvcuvid1 libnvidia-encode1 libnvidia-opticalflow1"
            ! is_desktop || echo "libgl1-nvidia-glvnd-glx libglx-nvidia0 libegl-nvidia0 nvidia-egl-icd
                libgles-nvidia2 nvidia-vulkan-icd libnvidia-fbc1"
            ;;
        nvidia-utils*)
            end=${1#nvidia-utils}
            echo "$1 libnvidia-compute$end libnvidia-cfg1$end libnvidia-decode$end libnvidia-encode$end"
            ! is_desktop || echo "libnvidia-gl$end libnvidia-extra$end libnvidia-fbc1$end"
            ;;
    esac
}

tools="nvidia-smi nvidia-driver-cuda nvidia-utils-$branch nvidia-utils-$branch-server nvidia-utils"

choose() { # NAME=VERSION of what apt offers at our version; fails where that is no whole userland
    for tool in $tools; do
        offered "$tool" >/dev/null || continue
        for package in $(family "$tool"); do
            ! exact=$(offered "$package") || echo "$package=$exact"
        done
        return 0
    done
    return 1
}

not_to_be_had() {
    grep -E "^($(echo "nvidia-utils[^ ]* nvidia-smi nvidia-driver-cuda $*" | sed 's/ *$//; s/  */|/g')) " "$work/offers" |
        sed 's/^/offered /' >"$work/said"
    # With no archive within reach, what they have is not known.
    [ -s "$work/said" ] || ! grep -q '^E:\|Failed to fetch' "$work/update" || { cat "$work/update" >&2 && exit 1; }
    cat "$work/said"
    exit 3
}

counterparts() { # of "NAME VERSION" lines: "NAME ITS-NAME-IN-OUR-BRANCH" for each
    while read -r package old; do
        old=${old#*:}
        echo "$package $(echo "$package" | sed "s/-${old%%.*}\\b/-$branch/")"
    done
}

# What is left of another version has its counterpart at ours, or goes: two versions do not mix.
# $@: names that are looked after already.
others() { # installed packages of another version, as arguments for apt-get install
    installed | while read -r package old; do
        ! is_version "$old" || continue
        case " $* " in *" $package "*) continue ;; esac
        same=$(echo "$package $old" | counterparts | cut -d ' ' -f 2)
        if exact=$(offered "$same"); then
            echo "$same=$exact"
        else
            echo "$package-"
        fi
    done
}

# --- apt ------------------------------------------------------------------------------------------

# $@: names of packages that are asked for.
refresh() { # a source of the user's that is gone is no reason to fail, as long as ours are there
    apt-get update -qq -o DPkg::Lock::Timeout=300 >"$work/update" 2>&1 || true
    know "$@"
}

pin() {
    [ ! -e "$pins" ] || [ -e "$work/pins" ] || cp "$pins" "$work/pins"
    cat >"$pins" <<END
# Written by labstamp. The NVIDIA userland has to be exactly the version of the host's kernel
# module, or nothing works ("Driver/library version mismatch"): no other one is ever installed.
Package: *nvidia* libcuda* libnvcuvid* libnvoptix*
Pin: version /^([0-9]+:)?$(echo "$version" | sed 's/\./\\./g')(-|$)/
Pin-Priority: 1001

Package: *nvidia* libcuda* libnvcuvid* libnvoptix*
Pin: version /^([0-9]+:)?[0-9]{3}\.[0-9]/
Pin-Priority: -1
END
}

unpin() {
    if [ -e "$work/pins" ]; then cp "$work/pins" "$pins"; else rm -f "$pins"; fi
}

get() {
    # What is thrown away when it breaks need not reach the disk at every step.
    ${LABSTAMP_THROWAWAY:+$(command -v eatmydata)} apt-get install --yes --no-install-recommends \
        --allow-downgrades --allow-change-held-packages -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confold -o APT::Get::AutomaticRemove=false "$@"
}

simulated() { # fails when apt cannot do it, or would take a package away that is none of the driver's
    get --simulate "$@" >"$work/simulated" 2>&1 || { cat "$work/simulated" >&2 && return 1; }
    installed | cut -d ' ' -f 1 | sort >"$work/driver"
    alien=$(sed -n 's/^Remv \([^ ]*\) .*/\1/p' "$work/simulated" | sort | comm -23 - "$work/driver" | tr '\n' ' ')
    [ -z "$alien" ] || { echo "apt would have to remove $alien" >&2 && return 1; }
}

by_apt() { # $@: what apt-get install takes
    pin
    simulated "$@" || { unpin && return 1; }
    bring "$@"
}

by_debs() { # $1: their directory
    # shellcheck disable=SC2046 # names of packages
    set -- "$1"/*.deb $(others $(cut -d ' ' -f 1 "$work/files"))
    pin
    # What they depend on is there, mostly; apt's lists are not, in an image.
    simulated "$@" 2>/dev/null || { refresh && simulated "$@"; } || { unpin && return 1; }
    bring "$@"
}

bring() { # what was simulated; all of it is here before anything goes
    if grep -q '^\(Inst\|Remv\|Conf\) ' "$work/simulated"; then
        get --download-only "$@" || { unpin && return 1; }
        remove_run
        get "$@"
    else
        remove_run
    fi
}

hold() {
    names=$(installed | cut -d ' ' -f 1)
    # shellcheck disable=SC2086 # names of packages
    [ -z "$names" ] || apt-mark hold $names >/dev/null
}

# --- NVIDIA's installer ---------------------------------------------------------------------------

remove_run() { # what the installer put here, if it did
    uninstaller=$(command -v nvidia-uninstall || command -v nvidia-installer) || return 0
    ! dpkg-query --search "$uninstaller" >/dev/null 2>&1 || return 0
    set -- --silent
    ! "$uninstaller" --advanced-options 2>/dev/null | grep -q -- '--skip-module-unload' ||
        set -- "$@" --skip-module-unload
    case $uninstaller in *nvidia-installer) set -- --uninstall "$@" ;; esac
    "$uninstaller" "$@"
}

by_run() { # $1: the file
    sh "$1" --check
    # It looks for modprobe also where it is to make no module.
    needed=
    command -v modprobe >/dev/null || needed=kmod
    gone=$(installed | sed 's/ .*/-/')
    # shellcheck disable=SC2086 # names of packages
    if [ -n "$needed$gone" ]; then
        [ -z "$needed" ] || refresh
        simulated $needed $gone
        get $needed $gone
    fi
    pin
    remove_run
    set -- "$1" --silent --no-questions --ui=none --accept-license --no-kernel-module \
        --no-nouveau-check --no-x-check --no-backup --no-distro-scripts \
        --no-check-for-alternate-installs
    for option in --no-nvidia-modprobe --no-systemd --no-rebuild-initramfs --skip-depmod \
        --allow-installation-with-running-driver; do
        ! sh "$1" --advanced-options 2>/dev/null | grep -q -- "$option" || set -- "$@" "$option"
    done
    sh "$@" || { tail -n 12 /var/log/nvidia-installer.log >&2 2>/dev/null; return 1; }
}

# --------------------------------------------------------------------------------------------------

stubs() { # that LXD left when it mounted another version here (canonical/lxd#17877)
    find /usr/bin /usr/lib -xdev -type f -size 0 \
        \( -name 'nvidia-*' -o -name 'libnvidia-*.so*' -o -name 'libcuda*.so*' -o -name 'libnv*.so*' \) |
        while read -r stub; do
            dpkg-query --search "$stub" >/dev/null 2>&1 || rm -f "$stub" || true
        done
}

# A run that was cut off may have left packages unpacked; of others that are broken apt will tell.
dpkg --configure -a >/dev/null 2>&1 || true
case $way in
    apt)
        refresh "$@"
        if [ $# -gt 0 ]; then
            wanted=
            for package in "$@"; do
                exact=$(offered "$package") || not_to_be_had "$package"
                wanted="$wanted $package=$exact"
            done
        else
            wanted=$(choose) || not_to_be_had
        fi
        # shellcheck disable=SC2046,SC2086 # names of packages
        by_apt $wanted $(others $(echo "$wanted" | sed 's/=[^ ]*//g'))
        ;;
    debs)
        : >"$work/offers"
        for file in "$1"/*.deb; do
            name=$(dpkg-deb --field "$file" Package) has=$(dpkg-deb --field "$file" Version)
            echo "$name $has" >>"$work/files"
        done
        awk '$1 ~ /nvidia|^libcuda/ && $2 ~ /^([0-9]+:)?[0-9][0-9][0-9]\.[0-9]/' "$work/files" >"$work/ours"
        # shellcheck disable=SC2013 # a version is one word
        for has in $(cut -d ' ' -f 2 "$work/ours"); do
            is_version "$has" || { sed 's/^/offered /' "$work/ours" && exit 3; }
        done
        by_debs "$1"
        ;;
    run)
        by_run "$1"
        ;;
esac
stubs
hold
ldconfig
