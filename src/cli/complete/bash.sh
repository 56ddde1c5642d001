# Completion of deploy-tool for bash. What follows `@`, `=` or `:` is a word of its own to bash, so the program gets the
# line as it was typed and answers with what bash is to put in.
_deploy_tool() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        # Bash keeps `@`, at which it breaks a word, in what it replaces.
        [[ $2 == @* ]] && line=@$line
        COMPREPLY+=("$line")
    done < <(DEPLOY_TOOL_COMPLETE=bash "${1/#\~/$HOME}" "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
if ((BASH_VERSINFO[0] > 4 || BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4)); then
    complete -o nosort -F _deploy_tool deploy-tool
else
    complete -F _deploy_tool deploy-tool
fi
