# Set `python` to the first python3 of the PATH that a project did not put there: an agent applies the `env` of a
# project's settings to hooks and commands. Plain POSIX, and starts no process. Left out are relative folders, names that
# lead elsewhere (/proc, /dev, ..), and folders below the working directory, its work tree or CLAUDE_PROJECT_DIR. The
# system's own folders come last. A session in the home, unless that is a repository, may use a Python below it.
{
    python='' here=$PWD
    cd -P . 2>/dev/null || :
    project=$PWD
    while [ "$project" ] && ! [ -e "$project/.git" ]; do
        project=${project%/*}
    done
    if ! [ "$project" ]; then
        project=$PWD
        if [ "$here" = "${HOME-}" ] || [ "$PWD" = "${HOME-}" ]; then
            project=/dev here=/dev
        fi
    fi
    others=${PATH-}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/run/current-system/sw/bin:
    while [ "$others" ] && ! [ "$python" ]; do
        folder=${others%%:*}
        folder=${folder%/} others=${others#*:}
        case $folder/ in
        /proc/* | /dev/* | *//* | */./* | */../*) ;;
        "$project"/* | "$here"/* | "${CLAUDE_PROJECT_DIR:-/dev}"/*) ;;
        /*) if [ -f "$folder/python3" ] && [ -x "$folder/python3" ]; then python=$folder/python3; fi ;;
        esac
    done
    python=${python:-/usr/bin/python3}
}
