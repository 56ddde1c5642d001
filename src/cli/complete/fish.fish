# Completion of deploy-tool for fish.
function __deploy_tool_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    DEPLOY_TOOL_COMPLETE=fish $words[1] $words (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command deploy-tool --no-files --keep-order --arguments '(__deploy_tool_complete)'
