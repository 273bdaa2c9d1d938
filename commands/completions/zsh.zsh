#compdef labstamp
# Completion of labstamp. In ~/.zshrc: eval "$(labstamp --print-completion-script zsh)"

_labstamp() {
    local -a offered
    offered=(${(f)"$(labstamp --complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#offered )); then
        compadd -a -- offered
    else
        _files
    fi
}

# As a file _labstamp in $fpath it is the function itself.
if [[ ${funcstack[1]} == _labstamp ]]; then
    _labstamp "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _labstamp labstamp
fi
