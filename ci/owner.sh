# shellcheck shell=bash
# Root runs nothing that another account may write: whoever may write it, is root.
# Trusted are root, and who became root by sudo, which lets them run what they like.
# Sourced by lib.sh; lab/machine/ownership.py judges likewise for invoke, and looks closer.

: "${root:?}"

# insist_on_own DIRECTORY: it, what it lies in, and all that is in it. Silence when all is well.
insist_on_own() {
    local place=$1 inside above="" command owners=(-uid 0) groups=(-gid 0)
    if [ -n "${SUDO_UID:-}" ]; then
        owners+=(-o -uid "$SUDO_UID")
        if _is_private_group "$SUDO_UID"; then groups+=(-o -gid "$(id -g "$SUDO_UID")"); fi
    fi
    local open=(! \( "${owners[@]}" \) -o ! -type l
        \( -perm -002 -o -perm -020 ! \( "${groups[@]}" \) \))
    inside=$(find "$place" \( -path "$place/.git/objects" -o -name '.*_cache' \) -prune \
        -o \( "${open[@]}" \) -print -quit)
    until [ -n "$above" ] || [ "$place" = / ]; do
        place=$(dirname "$place")
        # In /tmp and the like, nobody can move away what is another's.
        above=$(find "$place" -prune ! \( -perm -1000 -a \( "${owners[@]}" \) \) \( "${open[@]}" \) -print)
    done
    [ -n "$inside$above" ] || return 0
    if [ -n "$above" ] && [ -n "$(find "$above" -prune ! \( "${owners[@]}" \) -print)" ]; then
        command="mv $1 /opt/ && chown -R root: /opt/${1##*/}" # it lies in somebody's home
    elif [ -n "$inside" ]; then
        command="chown -R root: $1 && chmod -R go-w $1"
    else
        command="chmod go-w $above"
    fi
    fail 2 "Another account may change files that root runs, and could so become root: $(ls -ld "${inside:-$above}")" \
        "check whether somebody changed it, then run as root: $command"
}

# Of an account's own name, and without other members, as distributions make one for each.
_is_private_group() { # UID
    local name
    name=$(id -un "$1" 2>/dev/null) || return 1
    [ "$(id -gn "$1")" = "$name" ] || return 1
    case $(getent group "$name" | cut -d : -f 4) in "" | "$name") ;; *) return 1 ;; esac
}

if [ "$EUID" = 0 ]; then insist_on_own "$root"; fi
