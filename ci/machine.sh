# shellcheck shell=bash disable=SC2034 # those who source this use the variables
# What the project needs of a machine: packages, a Python environment, a running LXD.
# Sourced after lib.sh by ci/up and ci/test.

export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/snap/bin"
wanted_python="" # the only one to be used, if the caller names one

tools=(btrfs-progs mmdebstrap eatmydata squashfs-tools zstd python3-venv openssh-client
    ca-certificates)
debian_lxd=(lxd lxd-client lxcfs dnsmasq-base nftables iproute2 uidmap)

rdp_client() { # the package that has xfreerdp, for the tests of the desktops
    case $distribution-$version in
        debian-13) echo freerdp3-x11 ;;
        *) echo freerdp2-x11 ;;
    esac
}

recognise_distribution() { # sets distribution and version
    # shellcheck disable=SC1091
    . /etc/os-release
    distribution=${ID:-unknown} version=${VERSION_ID:-unknown}
    case $distribution-$version in
        debian-12 | debian-13 | ubuntu-22.04 | ubuntu-24.04) ;;
        *) fail 2 "This runs on Debian 12 or 13 and Ubuntu 22.04 or 24.04, not on ${PRETTY_NAME:-$distribution $version}." \
            "Install LXD as its own guide says; invoke works with any LXD from 5.0 on." ;;
    esac
}

# What is not installed of the packages named.
missing_of() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf '%s\n' "$package"
    done
}

lxd_from_snap() { [ -e /snap/bin/lxd ]; }

# install_packages NAME…: them and LXD, as far as they are missing.
install_packages() {
    local wanted=("$@") missing
    # A snap that is there already is as good as Debian's package.
    if [ "$distribution" = debian ] && ! lxd_from_snap; then
        wanted+=("${debian_lxd[@]}")
    elif ! lxd_from_snap; then
        wanted+=(snapd)
    fi
    mapfile -t missing < <(missing_of "${wanted[@]}")
    if [ "${#missing[@]}" = 0 ]; then
        step "install packages" unchanged "none missing"
    else
        step "install packages: ${missing[*]}" _apt_install "${missing[@]}"
    fi
    if [ "$distribution" = ubuntu ] && ! lxd_from_snap; then
        step "install LXD 5.21 from the snap store" _snap_install
    fi
}

_apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    # One of ours is there when a run was killed while it installed.
    if ! systemd_runs && { [ ! -e /usr/sbin/policy-rc.d ] || grep -q labstamp /usr/sbin/policy-rc.d; }; then
        # No init will answer when a package wants its service started.
        printf '#!/bin/sh\n# of labstamp, while it installs packages\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    # What an interrupted installation left half done keeps apt from everything else.
    [ -z "$(dpkg --audit)$(ls -A /var/lib/dpkg/updates)" ] || dpkg --configure -a
    # A fresh machine has no lists at all, an old one may ask for versions that are gone.
    apt-get -q -o DPkg::Lock::Timeout=120 update
    apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
}

proxy_wanted() { # LAB_PROXY, else the proxy in lab.yaml
    if [ -n "${LAB_PROXY:-}" ]; then
        printf '%s' "$LAB_PROXY"
    elif [ -f "${LAB_SETTINGS:-$root/lab.yaml}" ]; then
        sed -n "s/^proxy:[[:space:]]*//p" "${LAB_SETTINGS:-$root/lab.yaml}" |
            sed "s/[[:space:]]*#.*$//; s/^[\"']//; s/[\"'][[:space:]]*$//" | head -n 1
    fi
}

_snap_install() {
    local proxy
    systemctl enable --now snapd.socket
    proxy=$(proxy_wanted)
    if [ -n "$proxy" ] && [ "$proxy" != null ]; then
        # Through stdin: every account of the machine sees what commands are given.
        printf %s "$proxy" | /usr/bin/python3 -I "$root/ci/snap_proxy.py"
    fi
    snap wait system seed.loaded
    snap install lxd --channel=5.21/stable
}

find_python() { # sets python; the system's own outlives other people's pyenv
    local candidates=(/usr/bin/python3 python3)
    [ -z "$wanted_python" ] || candidates=("$wanted_python")
    for python in "${candidates[@]}"; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' \
            >/dev/null 2>&1; then
            return
        fi
    done
    [ -z "$wanted_python" ] || fail 2 "$wanted_python is not a Python 3.10 or newer with venv." \
        "name another one: ci/test --python /usr/bin/python3"
    fail 2 "No Python 3.10 or newer with venv." "apt-get install python3-venv"
}

venv_has_python() { # the one that is wanted, or any
    [ -x "$root/.venv/bin/python" ] || return 1
    [ -z "$wanted_python" ] || [ "$("$root/.venv/bin/python" -VV)" = "$("$wanted_python" -VV 2>&1)" ]
}

# make_venv LOCK…: the first lock is installed; all named ones count as installed afterwards.
# (requirements-dev.lock holds requirements.lock, version by version.)
make_venv() {
    local stamp=$root/.venv/.installed lock sums
    sums=$(cd "$root" && sha256sum "$@")
    if [ -f "$stamp" ] && "$root/.venv/bin/python" -c pass 2>/dev/null && venv_has_python &&
        ! grep -qvxFf "$stamp" <<<"$sums"; then
        step "Python environment .venv" unchanged "up to date"
        return
    fi
    find_python
    lock=$1
    step "Python environment .venv from $lock" _install_lock "$lock" "$stamp" "$sums"
}

_install_lock() { # LOCK STAMP SUMS
    cd "$root" || return
    exec 6<. # ci/up and ci/test share .venv
    flock -w 600 6 || fail 4 "Somebody else holds $root since 600 s." "see who it is: fuser -v $root"
    # Without its stamp it is what an interrupted run left, files half written among it.
    if [ ! -e "$2" ] || ! venv_has_python || ! .venv/bin/python -m pip --version 2>/dev/null; then
        "$python" -m venv --clear .venv
    fi
    rm -f "$2"
    # A lock tells all there is to install: nothing is resolved, so that every day gives the same.
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --require-hashes --no-deps -r "$1"
    .venv/bin/python -m pip check ||
        fail 2 "$1 is not whole: it lacks what pip names above." "make it anew, with the command in its first lines"
    printf '%s\n' "$3" >"$2"
    note "$(.venv/bin/python -V)"
}

lxd_answers() { have lxc && timeout 10 lxc -q query local:/1.0 >/dev/null 2>&1; }

start_lxd() {
    if lxd_answers; then
        step "start LXD" unchanged "runs already"
    else
        step "start LXD" _start_lxd
    fi
}

_start_lxd() {
    if lxd_from_snap; then
        snap start --enable lxd
    elif systemd_runs; then
        systemctl enable --now lxcfs.service lxd.socket
        systemctl start lxd.service
    else
        "$root/ci/sandbox" start
    fi
    lxd waitready --timeout=120
    note "$(lxd --version)"
}
