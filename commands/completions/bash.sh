# shellcheck shell=bash
# Completion of labstamp. In ~/.bashrc: eval "$(labstamp --print-completion-script bash)"

_labstamp() {
    local IFS=$'\n' offered
    offered=$(labstamp --complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    # shellcheck disable=SC2207 # bash 3 and 4.0 have no mapfile
    COMPREPLY=($(compgen -W "$offered" -- "$2"))
}

complete -o default -F _labstamp labstamp
