"""The vocabulary of shell lines: known programs, the jobs that their names and sub-commands stand for.

General words only: a script is understood by its name, so a project needs no entry here.
"""

from __future__ import annotations

# Programs whose first word says little without the second.
WITH_WORD = frozenset(
    """
    alembic apt apt-get artisan az biome brew bun bunx bundle cargo cdk composer conda dart deno docker docker-compose
    dotnet firebase fly flyctl flutter gcloud gem gh git glab go gradle gradlew hatch helm heroku invoke just kamal
    kubectl lerna make mise mix mvn mvnw netlify nix npm npx nx pdm pip pip3 pipenv pipx pixi pnpm podman poetry prisma
    pulumi rails rake rebar3 ruff rustup rye sbt serverless stack swift systemctl task terraform tofu turbo uv vercel
    wrangler yarn zig
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# Sub-commands that say little without the word behind them.
WITH_TWO = frozenset(
    "run pr mr issue api repo workflow release exec compose db migrate image secret".split()  # noqa: SIM905
)

KEYWORDS = frozenset("! do elif else if then until while { }".split())  # noqa: SIM905
# They run the command behind them.
WRAPPERS = frozenset(
    """
    bunx command cross-env doas dotenv env exec nice nohup npx pipx proxychains rtk stdbuf sudo time timeout uvx xargs
    xvfb-run
    """.split()  # noqa: SIM905
)
WRAPPING_SUB_COMMANDS = frozenset(
    each.strip()
    for each in """
    bun x|bundle exec|composer exec|conda run|hatch run|mise exec|mise x|npm exec|opam exec|pdm run|pipenv run|pipx run
    |pixi run|pnpm dlx|pnpm exec|poetry run|python -m|python3 -m|py -m|rtk err|rtk proxy|rtk summary
    |rye run|stack exec|uv run|yarn dlx|yarn exec
    """.split("|")  # noqa: SIM905
)
# Flags of wrappers and package managers that have a value.
SETTINGS = frozenset(
    """
    -C -c -F -I -P -R -f -n -p -u -w --cwd --dir --directory --env-file --extra --filter --group --manifest-path
    --package --prefix --project --python --repo --signal --with --workspace
    """.split()  # noqa: SIM905
)
# Their value is written to.
OUTPUT_FLAGS = frozenset({"-o", "--out", "--outfile", "--out-file", "--output", "--output-file"})
INTERPRETERS = frozenset(
    "bash bun deno fish lua node perl php pwsh py python python3 ruby sh ts-node tsx zsh".split()  # noqa: SIM905
)
SHELLS = frozenset({"bash", "dash", "sh", "zsh"})

# They change nothing, or only the shell itself.
LOOKING = frozenset(
    """
    . [ [[ : activate awk base64 basename bat break case cat catch cd cls column comm command continue cut date df
    diff dig dirname done du echo env esac export eval exit false fd fi file finally find for foreach function fzf
    grep head hexdump history hostname id jobs jq less local ls lsof man md5sum more nl od paste pgrep popd print
    printenv printf ps pushd pwd read readlink realpath return rg sed select seq set sha256sum shasum sleep sort
    source stat strings tail tee test tr tree true type uname uniq unset uptime wait watch wc where whereis which
    whoami xxd yes yq
    """.split()  # noqa: SIM905
)
# They print files or their names. Behind a program that is not known they are most likely what it runs.
READING = frozenset("cat find grep head less ls rg tail tree wc".split())  # noqa: SIM905
# They answer no question.
SILENT = frozenset(
    """
    . : [ [[ activate break cd continue echo env eval exit export false popd printf pushd read return set sleep source
    test true unset wait yes
    """.split()  # noqa: SIM905
)
# They end or hold what only this occasion has: by themselves they are no step of a way of working.
PASSING = frozenset({"kill", "killall", "mktemp", "pkill", "Stop-Process", "taskkill"})
# With one of these, `find` does something with each file that it finds.
CHANGING_TESTS = frozenset({"-delete", "-exec", "-execdir", "-ok", "-okdir"})
# The verbs of PowerShell's commands that only read, or change only the shell itself.
LOOKING_VERBS = frozenset(
    """
    compare convertfrom convertto foreach format get group import join measure out resolve select set-location sort
    split start-sleep tee test where write
    """.split()  # noqa: SIM905
)
# What those verbs are about where a command is typed in lower case, which PowerShell takes as well.
LOOKING_NOUNS = frozenset({"content", "host", "null", "object", "output", "string", "table", "variable"})
_LOOKING_SUB_COMMANDS = {
    "git": "blame cat-file check-ignore describe diff diff-tree fetch for-each-ref grep help log ls-files ls-remote"
    " ls-tree merge-base name-rev reflog rev-list rev-parse shortlog show show-ref status whatchanged",
    "npm": "audit explain help info list ls outdated pack prefix root search show view whoami why",
    "pnpm": "audit list ls outdated root why",
    "yarn": "audit info list outdated why",
    "bun": "outdated",
    "pip": "check freeze index list show",
    "pip3": "check freeze index list show",
    "uv": "tree",
    "cargo": "info metadata search tree",
    "go": "doc env list version",
    "docker": "diff events images info inspect logs port ps stats top version",
    "docker compose": "config logs ls port ps top",
    "docker-compose": "config logs port ps top",
    "kubectl": "api-resources describe events explain get logs top version",
    "helm": "get history list show status",
    "terraform": "graph output providers show state version",
    "tofu": "graph output providers show state version",
    "systemctl": "cat is-active list-units show status",
    "brew": "info list outdated search",
    "gh": "auth browse help search status",
    "gradle": "dependencies projects tasks",
    "mise": "current ls where which",
}
LOOKING_SUB_COMMANDS = frozenset(
    f"{program} {word}" for program, words in _LOOKING_SUB_COMMANDS.items() for word in words.split()
)
# The last word of a sub-command of a code host's program, such as `gh pr view`.
LOOKING_LAST = frozenset("checks diff download get list status view watch".split())  # noqa: SIM905
CODE_HOSTS = frozenset({"gh", "glab"})
# They ask a machine, a cluster or a host elsewhere: their answer is not in the project's files.
SERVICES = CODE_HOSTS | frozenset(
    """
    aws az docker docker-compose firebase fly flyctl gcloud helm heroku journalctl kubectl netlify podman supabase
    systemctl terraform tofu vercel wrangler
    """.split()  # noqa: SIM905
)
# They read, unless a word or one of some flags says what to change.
LOOKING_ALONE = frozenset({"git branch", "git config", "git remote", "git tag", "git worktree"})
LOOKING_WORDS = frozenset({"list", "show", "get-url", "get"})
LOOKING_FLAGS = frozenset(
    """
    -a -l -r -v -vv --all --contains --get --list --merged --no-merged --points-at --show-current --show-origin
    """.split()  # noqa: SIM905
)
SENDING_FLAGS = frozenset(
    """
    -X --method --request -d --data --data-raw --data-binary --json -F -f --field --form --raw-field --input -T
    """.split()  # noqa: SIM905
)

# Programs that act on files and machines; the words behind them are names, and no jobs.
PLAIN = frozenset(
    """
    aria2c chmod chown code cp curl kill killall ln mkdir mv open osascript pkill rm rmdir rsync scp sftp ssh start tar
    touch unzip wget xdg-open zip
    """.split()  # noqa: SIM905
)

# The jobs of programs that have only one.
_PROGRAMS = {
    "test": "ava bats behave busted codecept ctest cucumber cypress gotestsum jasmine jest karma mocha newman nose2"
    " nosetests nox nyc pest phpunit py.test pytest rspec tap tox vitest xctest k6 unittest playwright testem wtr",
    "lint": "actionlint ansible-lint bandit buf checkov clang-tidy clj-kondo commitlint cppcheck credo cspell deptry"
    " detekt dprint eslint eslint_d flake8 gosec golangci-lint hadolint jshint knip ktlint lint-imports luacheck"
    " markdownlint markdownlint-cli2 oxlint phpcs pre-commit prek pycodestyle pydocstyle pylint revive rubocop ruff"
    " semgrep shellcheck sonar-scanner sqlfluff standard standardrb staticcheck stylelint swiftlint tflint tslint vale"
    " vermin vulture xo yamllint biome selene scalafix statix",
    "format": "alejandra autopep8 black clang-format gofmt gofumpt goimports google-java-format isort nixfmt ormolu"
    " php-cs-fixer pint prettier rustfmt scalafmt shfmt stylua swiftformat swift-format terraform-fmt yapf zprint",
    "typecheck": "basedpyright dialyzer flow mypy phan phpstan psalm pyre pyright pytype srb svelte-check tsc ty"
    " vue-tsc",
    "build": "bazel bazelisk cc clang cmake esbuild g++ gcc hugo javac kotlinc latexmk meson msbuild ninja"
    " parcel rollup rustc scons tsup vite webpack wasm-pack xcodebuild",
    "release": "changeset goreleaser semantic-release release-it standard-version bumpversion bump2version cz",
    "publish": "twine",
    "deploy": "ansible-playbook capistrano serverless cap dokku",
    "migrate": "alembic atlas dbmate flyway goose knex liquibase sqitch migrate",
    "generate": "protoc openapi-generator-cli orval sqlc graphql-codegen",
}
PROGRAM_JOBS = {program: job for job, programs in _PROGRAMS.items() for program in programs.split()}

# The jobs of words in the names of scripts, targets and sub-commands; the first job that has one of the words counts,
# so a `release-check` checks, and `build-and-deploy` deploys.
NAME_JOBS = {
    "test": "test tests spec specs e2e unit coverage unittest nextest smoke itest",
    "lint": "lint linter lints linting clippy analyze vet eslint ruff rubocop",
    "format": "format fmt formatting prettier reformat spotless",
    "typecheck": "typecheck types tsc mypy pyright typing",
    "check": "check checks verify validate gate gates ci precommit preflight",
    "release": "release version bump",
    "publish": "publish",
    "deploy": "deploy deployment ship rollout",
    "migrate": "migrate migration migrations makemigrations migrator",
    "generate": "generate codegen gen generator",
    "build": "build compile bundle assemble dist",
    "install": "install setup bootstrap deps",
}
# What `program sub-command` does, where its words say something else or nothing.
EXACT_JOBS = {
    "git am": "apply",
    "cargo check": "typecheck",
    "cargo doc": "build",
    "cargo publish": "publish",
    "deno check": "typecheck",
    "bun build": "build",
    "docker push": "publish",
    "docker compose up": "run",
    "dotnet publish": "build",
    "dotnet nuget": "publish",
    "dotnet restore": "install",
    "gem push": "publish",
    "gh release": "release",
    "gh workflow run": "release",
    "glab release": "release",
    "go mod": "install",
    "go get": "install",
    "gradle publish": "publish",
    "helm install": "deploy",
    "helm lint": "lint",
    "helm template": "check",
    "helm upgrade": "deploy",
    "helm uninstall": "deploy",
    "kamal setup": "deploy",
    "kubectl apply": "deploy",
    "kubectl delete": "deploy",
    "kubectl rollout": "deploy",
    "make": "build",
    "mix deps.get": "install",
    "mix dialyzer": "typecheck",
    "mix credo": "lint",
    "mvn deploy": "publish",
    "mvn package": "build",
    "npm add": "install",
    "npm audit": "check",
    "npm ci": "install",
    "npm i": "install",
    "npm t": "test",
    "npm version": "release",
    "pulumi preview": "check",
    "pulumi up": "deploy",
    "ruff format": "format",
    "terraform apply": "deploy",
    "terraform destroy": "deploy",
    "terraform plan": "check",
    "terraform init": "install",
    "twine check": "check",
    "uv add": "install",
    "uv lock": "install",
    "uv sync": "install",
    "vercel": "deploy",
    "wrangler secret": "secret",
    "yarn": "install",
}
# Programs that have the same sub-commands as another.
TWINS = {
    "tofu": "terraform",
    "podman": "docker",
    "docker-compose": "docker compose",
    "gradlew": "gradle",
    "mvnw": "mvn",
    "bun": "npm",
    "pnpm": "npm",
    "yarn": "npm",
    "pip3": "pip",
    "poetry": "uv",
    "pdm": "uv",
    "rye": "uv",
}
GIT_JOBS = {
    "commit": "commit",
    "push": "push",
    "merge": "merge",
    "rebase": "rebase",
    "tag": "tag",
    "cherry-pick": "cherry-pick",
    "revert": "revert",
}
REVIEW_JOBS = {"create": "pr", "merge": "merge", "comment": "comment", "review": "comment", "note": "comment"}

CHECKS = frozenset({"test", "lint", "format", "typecheck", "build", "check"})
DELIVERIES = frozenset(
    """
    cherry-pick comment commit deploy merge pr publish push rebase release revert tag
    """.split()  # noqa: SIM905
)
