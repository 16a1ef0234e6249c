"""The vocabulary of danger: its kinds, and the programs, options and places that each of them is about.

General words only, as in `programs`. `danger` reads commands with it.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Danger(StrEnum):
    """The kind of a step that is never offered, in plain words. The names are stored."""

    DOWNLOAD = "runs a download"
    ENCODED = "runs hidden text"
    CREDENTIALS = "touches credentials"
    SENT = "sends credentials away"
    STARTUP = "changes what runs by itself"
    SYSTEM = "changes system files"
    AGENT = "changes what an agent may do"
    GUARD = "switches a safeguard off"
    RIGHTS = "opens files or accounts to others"
    DELETION = "deletes more than build output"
    LOSS = "throws git work away"
    HISTORY = "rewrites shared history"
    DATA = "deletes data of a database or service"
    DISK = "overwrites a disk"
    REMOTE = "opens a shell to another machine"
    TRACES = "removes its traces"
    STOP = "stops the machine"


FETCHING = frozenset(
    """
    aria2c curl downloadfile downloadstring fetch http https invoke-restmethod invoke-webrequest irm iwr lynx
    start-bitstransfer wget wget2
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
SHELLS = frozenset("ash bash csh dash fish ksh pwsh powershell sh tcsh zsh".split())  # noqa: SIM905
# They run a text that they are given as an argument.
RUNNING_TEXT = frozenset({".", "eval", "iex", "invoke-expression", "source"})
# They run the command behind them in another place, at another time, or with other rights.
CARRYING = frozenset(
    """
    at awk batch busybox chroot docker expect flatpak-spawn flock gawk ionice kubectl mawk nsenter nvim oc parallel
    podman runuser script setsid screen ssh systemd-run tmux toybox unbuffer unshare vagrant vi vim watch wsl
    """.split()  # noqa: SIM905
)
# A word that only a shell can read: it hides what is run.
HIDING = re.compile(r"\$'[^']*\\(?:x|u|[0-7]{3})|\w\$\{?IFS")
HIDING_PROGRAM = re.compile(r"\$'|\{\w+,")
DECODING = re.compile(
    r"\b(?:base64|base32)\b.*\s(?:-d|-D|--decode)\b|\bxxd\b.*\s-\w*r|\bopenssl\b.*\s-d\b|\bprintf\b.*\\x|\brev\b"
)
# What an inline program of Python, Node, Ruby, Perl or PowerShell does.
INLINE = {
    Danger.DOWNLOAD: re.compile(
        r"(?=.*(?:urlopen|requests\.get|https?\.get|fetch\(|open-uri|LWP|DownloadString|DownloadFile))"
        r".*(?:\bexec\b|\beval\b|system\(|subprocess|child_process|spawn|iex\b|Invoke-Expression)",
        re.DOTALL,
    ),
    Danger.REMOTE: re.compile(
        r"(?=.*socket).*(?:dup2|pty\.spawn|subprocess|/bin/(?:ba)?sh)", re.DOTALL | re.IGNORECASE
    ),
    Danger.ENCODED: re.compile(
        r"(?=.*(?:b64decode|atob\(|fromhex|FromBase64String)).*(?:\bexec\b|\beval\b|iex\b)", re.DOTALL
    ),
    Danger.DELETION: re.compile(r"rmtree|rmSync|rimraf|FileUtils\.rm_r|remove_tree"),
}
SENDING = frozenset("curl ftp http https ncat nc netcat rclone rsync scp sftp socat telnet wget".split())  # noqa: SIM905

# Sub-commands and the options of them, any of which is enough; "*" where none is needed. A sub-command that is longer
# comes with its words in order.
FLAGS: dict[Danger, dict[str, str]] = {
    Danger.HISTORY: {
        "git push": "-f -d --force --force-with-lease --force-if-includes --mirror --delete --prune",
        "git filter-branch": "*",
        "git filter-repo": "*",
        "bfg": "*",
    },
    Danger.LOSS: {
        "git reset": "--hard",
        "git clean": "-f --force",
        "git checkout": "-f --force",
        "git switch": "-f --force --discard-changes",
        "git branch": "-D",
        "git stash drop": "*",
        "git stash clear": "*",
        "git reflog expire": "*",
        "git reflog delete": "*",
        "git update-ref": "-d",
        "git worktree remove": "-f --force",
        "git gc": "--prune",
    },
    Danger.GUARD: {
        "git commit": "-n --no-verify",
        "git push": "--no-verify",
        "git merge": "--no-verify",
        "setenforce": "*",
        "ufw disable": "*",
        "iptables": "-F --flush",
        "csrutil disable": "*",
        "spctl": "--master-disable --global-disable",
        "set-executionpolicy": "*",
        "set-mppreference": "*",
        "add-mppreference": "*",
        "netsh advfirewall": "*",
        "npm config set": "registry",
        "pip config set": "global.index-url global.extra-index-url global.trusted-host",
        **dict.fromkeys(("systemctl stop", "systemctl disable", "systemctl mask"), "apparmor auditd firewalld ufw"),
        "xattr": "-d -c",
    },
    Danger.AGENT: {
        "claude mcp add": "*",
        "claude mcp add-json": "*",
        "claude plugin install": "*",
        "claude plugin marketplace": "*",
        "claude config set": "*",
        "codex mcp add": "*",
        "gemini mcp add": "*",
        "gemini extensions install": "*",
    },
    Danger.DATA: {
        "docker system prune": "*",
        "docker volume rm": "*",
        "docker volume prune": "*",
        "docker compose down": "-v --volumes",
        "docker-compose down": "-v --volumes",
        "podman system prune": "*",
        "podman volume rm": "*",
        "podman volume prune": "*",
        "dropdb": "*",
        "dropuser": "*",
        "mysqladmin drop": "*",
        "prisma migrate reset": "*",
        "prisma db push": "--force-reset --accept-data-loss",
        "npm unpublish": "*",
        "terraform apply": "-destroy",
        "tofu apply": "-destroy",
        "aws s3": "--delete",
        "cargo yank": "*",
    },
    Danger.RIGHTS: {
        "docker run": "--privileged --pid",
        "podman run": "--privileged --pid",
        "chown": "-R --recursive",
        "chgrp": "-R --recursive",
        "setfacl": "*",
        "useradd": "*",
        "adduser": "*",
        "usermod": "*",
        "passwd": "*",
        "chpasswd": "*",
        "visudo": "*",
        "icacls": "*",
        "takeown": "*",
        "net user": "*",
        "net localgroup": "*",
    },
    Danger.STARTUP: {
        "systemctl enable": "*",
        "systemctl link": "*",
        "systemctl edit": "*",
        "launchctl load": "*",
        "launchctl bootstrap": "*",
        "launchctl submit": "*",
        "launchctl enable": "*",
        "schtasks": "/create /change",
        "register-scheduledtask": "*",
        "update-rc.d": "*",
        "reg add": "*",
        "setx": "*",
    },
    Danger.DISK: {
        "fdisk": "*",
        "parted": "*",
        "wipefs": "*",
        "sgdisk": "*",
        "format": "c: d: e:",
        "format-volume": "*",
        "clear-disk": "*",
        "diskpart": "*",
        "diskutil erasedisk": "*",
        "diskutil erasevolume": "*",
    },
    Danger.DELETION: {
        "shred": "*",
        "srm": "*",
        "wipe": "*",
        "rsync": "--del --delete --delete-after --delete-before --delete-delay --delete-during --delete-excluded",
    },
    Danger.SYSTEM: {"reg delete": "*"},
    Danger.TRACES: {"history": "-c", "clear-history": "*", "wevtutil cl": "*", "clear-eventlog": "*"},
    Danger.STOP: {
        "shutdown": "*",
        "reboot": "*",
        "halt": "*",
        "poweroff": "*",
        "stop-computer": "*",
        "restart-computer": "*",
        "init": "0 6",
        "systemctl poweroff": "*",
        "systemctl reboot": "*",
    },
    Danger.CREDENTIALS: {"security find-generic-password": "*", "security find-internet-password": "*"},
    Danger.REMOTE: {"nc": "-e -c", "ncat": "-e -c --exec --sh-exec", "netcat": "-e -c"},
}
# Options that take an agent's or a program's safeguards away, whichever program has them.
UNGUARDED = re.compile(
    r"--(?:allow-)?dangerously-\S+|--yolo|--allow-all-tools|--trust-all-tools|--approval-mode=(?:yolo|never)"
    r"|--permission-mode=bypassPermissions|--sandbox=danger-full-access|--no-preserve-root|--break-system-packages"
)
# The same where the value is a word of its own.
UNGUARDED_PAIRS = frozenset(
    {
        ("--permission-mode", "bypassPermissions"),
        ("--approval-mode", "yolo"),
        ("--ask-for-approval", "never"),
        ("--sandbox", "danger-full-access"),
    }
)
UNGUARDED_SETTINGS = re.compile(
    r"(?:HUSKY|LEFTHOOK|NODE_TLS_REJECT_UNAUTHORIZED|PYTHONHTTPSVERIFY)=['\"]?0|(?:SKIP|GIT_SSL_NO_VERIFY)=."
)
# Settings of git that name a program, or the place of one; a value that begins with `!` is a command.
GIT_PROGRAMS = re.compile(
    r"(?:core\.(?:hookspath|fsmonitor|sshcommand|editor|pager|askpass|gitproxy)|alias\..*|credential\..*|filter\..*"
    r"|diff\..*\.(?:command|textconv)|merge\..*\.driver|include(?:if)?\..*|url\..*|gpg\..*program|protocol\..*)",
    re.IGNORECASE,
)
GIT_GUARDS = re.compile(r"http\.(?:.*\.)?sslverify|commit\.gpgsign|tag\.gpgsign|safe\.directory", re.IGNORECASE)

# Programs for machines, clusters and accounts elsewhere, and the words by which they destroy something there.
CLOUDS = frozenset(
    """
    aws az doctl eksctl firebase fly flyctl gcloud gh glab gsutil hcloud helm heroku ibmcloud kubectl linode-cli netlify
    oc oci pulumi railway rclone redis-cli s3cmd supabase terraform tofu vercel wrangler
    """.split()  # noqa: SIM905
)
DESTROYING = frozenset(
    """
    delete deprovision destroy drain drop flushall flushdb purge rb remove reset rm terminate uninstall wipe
    """.split()  # noqa: SIM905
)
DATABASES = frozenset(
    "clickhouse-client duckdb mariadb mongo mongosh mysql psql sqlcmd sqlite3 sqlplus usql".split()  # noqa: SIM905
)
SQL = re.compile(
    r"\bdrop\s+(?:table|database|schema|user|role|owned|keyspace|collection)\b|\btruncate\s+(?:table\s+)?\w"
    r"|\bdelete\s+from\s+[\w.\"`\[\]]++(?![^;]*\bwhere\b)|dropDatabase\(|\.drop\(\)|\bflushall\b",
    re.IGNORECASE,
)
DATABASE_TASKS = re.compile(r"db:(?:drop|reset|purge|wipe)(?::\S+)?|migrate:(?:fresh|reset)|sqlflush|flush")
TASK_RUNNERS = frozenset("artisan bin/rails django-admin manage.py rails rake sequelize sequelize-cli".split())  # noqa: SIM905
# The words in the name of a tool of an MCP server.
TOOL_WORDS = frozenset("delete destroy drop erase purge truncate wipe".split())  # noqa: SIM905

DELETING = frozenset("del erase rd remove-item ri rimraf rm rmdir trash unlink".split())  # noqa: SIM905
RECURSIVE = re.compile(r"-[dfiIPrRv]*[rR][dfiIPrRv]*|--recursive|-Rec\w*|/[sS]")
# Folders and files that tools make again: build output, packages, caches, temporary files.
GENERATED = re.compile(
    r"(?:^|[._-])(?:artifacts?|bin|build|builds|cache|caches|coverage|debug|deriveddata|dist|egg-info|eggs|generated|gradle"
    r"|htmlcov|lib-cov|logs?|next|node_modules|nox|nuxt|nyc_output|obj|out|output|outputs|parcel-cache|playwright-report"
    r"|pods|public-build|release|reports?|results|scratch|storybook-static|svelte-kit|target|te?mp|terraform|tmp|tox|turbo"
    r"|venv|vite|\w*cache|\w*cache__|__pycache__)\d*(?=$|[._-])",
    re.IGNORECASE,
)

WRITING = frozenset(
    """
    add-content chmod cp copy-item install ln move-item mv new-item out-file rsync scp set-content tee touch truncate
    """.split()  # noqa: SIM905
)
# The last of their words is where they write.
WRITING_LAST = frozenset({"copy-item", "cp", "install", "ln", "move-item", "mv", "rsync", "scp"})
# They show, copy or send what is in a file. Others, such as `ssh -i`, only use it.
READING = frozenset(
    """
    awk bat base64 cat copy-item cp cut dd diff gc get-content grep head hexdump jq less more nl od openssl rg sed
    sort strings tail tar type xxd yq zip
    """.split()  # noqa: SIM905
)
PROJECT_SECRETS = re.compile(r"(?:^|/)(?:\.env(?:\.(?!example|sample|template|dist)\w+)?|[^/]*\.(?:pem|p12|pfx|key))$")
CREDENTIALS = re.compile(
    r"""
      (?:^|/)\.(?:ssh|aws|gnupg|azure|password-store)(?:/|$) | (?:^|/)(?:authorized_keys|id_(?:rsa|dsa|ecdsa|ed25519))$
    | (?:^|/)\.(?:netrc|pgpass|git-credentials|vault-token|pypirc|my\.cnf)$
    | ^~/\.(?:npmrc|yarnrc(?:\.yml)?|boto|s3cfg)$
    | (?:^|/)\.docker/config\.json$ | (?:^|/)\.kube/config$ | (?:^|/)\.config/(?:gh|gcloud|op|hub)(?:/|$)
    | (?:^|/)\.(?:cargo|gem)/credentials | Library/Keychains | ^/etc/(?:shadow|gshadow) | \.claude/\.credentials\.json$
    | \.codex/auth\.json$ | ^/proc/\w+/environ$ | (?:^|/)(?:Login\ Data|key4\.db|wallet\.dat)$
    """,
    re.VERBOSE,
)
STARTUP = re.compile(
    r"""
      (?:^|/)\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|xprofile
        |xinitrc|inputrc)$
    | \.config/(?:fish|autostart|systemd|environment\.d)(?:/|$) | Library/Launch(?:Agents|Daemons)
    | ^/etc/(?:profile|bash|zsh|cron|systemd|init|rc\.local|ld\.so|environment|xdg/autostart) | ^/var/spool/cron
    | (?:^|/)\.git/(?:hooks/|config$) | ^(?:~/)?\.gitconfig$ | ^~/\.config/git/ | ^\$PROFILE
    | Start\ Menu/Programs/Startup
    | (?:sitecustomize|usercustomize)\.py$
    """,
    re.VERBOSE | re.IGNORECASE,
)
AGENT_FILES = re.compile(
    r"""
      (?:^|/)\.claude/(?:settings[^/]*\.json|hooks/|plugins/) | (?:^|/)\.?(?:mcp|claude)\.json$
    | (?:^|/)managed-settings\.json$
    | (?:^|/)\.codex/(?:config\.toml|hooks) | (?:^|/)\.gemini/settings\.json | (?:^|/)\.cursor/(?:mcp\.json|hooks)
    | (?:^|/)\.vscode/mcp\.json$ | (?:^|/)opencode\.jsonc?$ | (?:^|/)\.config/opencode/ | (?:^|/)\.pi/
    """,
    re.VERBOSE,
)
SYSTEM = re.compile(
    r"^/(?:etc|usr(?!/local)|s?bin|boot|lib\d*|sys|proc|System|Library|root/\.)(?:/|$)|^[A-Za-z]:/(?:Windows|Program)",
    re.IGNORECASE,
)
DISK = re.compile(r"^/dev/(?:sd|hd|vd|xvd|nvme|mmcblk|r?disk|mapper/|md\d|loop)|^//\./physicaldrive", re.IGNORECASE)
TEMPORARY = re.compile(
    r"^(?:/private)?/(?:var/)?tmp/[^/.*]|^(?:/private)?/var/folders/.|^\$(?:\{?(?:TMPDIR|TEMP|TMP|RUNNER_TEMP)\b\}?|env:TE?MP)/."
    r"|^%TE?MP%/.|^~/AppData/Local/Temp/.|^\$\{?\w*(?:tmp|temp|scratch)\w*\}?(?:/|$)|^\$\(mktemp",
    re.IGNORECASE,
)
HOME = re.compile(
    r"^(?:\$HOME|\$\{HOME\}|\$env:(?:USERPROFILE|HOME)|%USERPROFILE%|/home/[\w.-]+|/Users/[\w.-]+|/root"
    r"|[A-Za-z]:/Users/[^/]+|/mnt/[a-z]/Users/[^/]+)(?=/|$)",
    re.IGNORECASE,
)
REMOTE_SHELL = re.compile(r"/dev/(?:tcp|udp)/|\bsocat\b.*\bexec:|\bmkfifo\b.*\|\s*nc\b", re.IGNORECASE)
# They name variables and settings of PowerShell.
NO_FILE = re.compile(r"(?:Env|Variable|Function|Alias|Cert):", re.IGNORECASE)
# A function that calls itself until nothing is left.
FORK_BOMB = re.compile(r"(:|\b\w+)\s*\(\)\s*\{\s*\1\s*\|\s*\1\b|:\(\)\s*\{\s*:\s*\|\s*:")
# Others may write, or the program runs with its owner's rights.
OPEN_MODES = re.compile(
    r"[0-7]{0,3}[0-7][0-7][2367]|[1-7][0-7]{3}|[ug]*[oa][ugoa]*[+=][a-zA-Z]*w[a-zA-Z]*|[ugoa]*\+[a-zA-Z]*s[a-zA-Z]*"
)
# In a sentence, a dangerous command begins with one of these.
PROGRAMS = (
    FETCHING
    | SHELLS
    | RUNNING_TEXT
    | SENDING
    | CLOUDS
    | DATABASES
    | TASK_RUNNERS
    | DELETING
    | WRITING
    | READING
    | {name.split(" ")[0] for table in FLAGS.values() for name in table}
    | frozenset("crontab dd echo env find git kill mkfs node perl php printenv printf python python3 ruby sudo".split())  # noqa: SIM905
) - {"."}
