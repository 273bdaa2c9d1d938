# Completion of labstamp. In ~/.config/fish/config.fish: labstamp --print-completion-script fish | source

function __labstamp_offered
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set -l begun (commandline --current-token --cut-at-cursor)
    set -l offered (labstamp --complete -- $words[2..] "$begun" 2>/dev/null)
    if set --query offered[1]
        printf '%s\n' $offered
    else
        __fish_complete_path "$begun"
    end
end

complete --command labstamp --no-files --arguments '(__labstamp_offered)'
