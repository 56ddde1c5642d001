#compdef deploy-tool
# Completion of deploy-tool for zsh.
_deploy_tool() {
    local line
    local -a values directories
    for line in "${(@f)$(DEPLOY_TOOL_COMPLETE=zsh ${(Q)~words[1]} "${(@Q)words[1,CURRENT]}" 2>/dev/null)}"; do
        case ${line%%:*} in
            '') ;;
            */) directories+=("${${line%%:*}%/}") ;;
            *) values+=("$line") ;;
        esac
    done
    (( $#directories )) && _describe -V directory directories -S / -r /
    (( $#values )) && _describe -V value values
}
# Read from `fpath` it is called; sourced, it is registered.
if [[ ${funcstack[1]} == _deploy-tool ]]; then
    _deploy_tool "$@"
else
    compdef _deploy_tool deploy-tool
fi
