# Run the hook of one event. The registered commands source this file, with the event's name in $1 and, where the
# agent is not Claude Code, the agent's name in $2. CLAUDE_PLUGIN_ROOT is the plugin's folder, CLAUDE_PLUGIN_DATA the
# folder of the link to Python; hooks in settings set both. The payload is on standard input.
#
# The braces make the shell read the whole file before it runs any of it: half a file, as an interrupted update leaves
# it, runs nothing. Otherwise a line cut off after "python3 -I -S" would run the payload as a program.
{
    # A relative folder would be the project's.
    case ${CLAUDE_PLUGIN_DATA-} in
    /*) link=$CLAUDE_PLUGIN_DATA/python3 ;;
    *) link='' ;;
    esac
    # The link leads past a version manager's python3, which takes ten times as long as the hook. It is tried only if
    # hook.py is there; otherwise two Pythons would complain about the missing file.
    if [ "$link" ] && [ -x "$link" ] && [ -f "$CLAUDE_PLUGIN_ROOT/hooks/hook.py" ]; then
        # hook.py always ends with 0, so a failure is that of the Python: it is broken, or it was killed. A killed one
        # has read the payload; "again" lets the second try report that loss.
        "$link" -I -S "$CLAUDE_PLUGIN_ROOT/hooks/hook.py" "$@" || {
            . "$CLAUDE_PLUGIN_ROOT/hooks/find_python.sh"
            "$python" -I -S "$CLAUDE_PLUGIN_ROOT/hooks/hook.py" "$@" again
        }
    elif [ -f "$CLAUDE_PLUGIN_ROOT/hooks/find_python.sh" ]; then
        . "$CLAUDE_PLUGIN_ROOT/hooks/find_python.sh"
        "$python" -I -S "$CLAUDE_PLUGIN_ROOT/hooks/hook.py" "$@"
    fi
}
