"""The options and subcommands that take a secret, and those that only look like them."""

from __future__ import annotations

import pytest

from behavior_plugin.redact import redact

# Assembled, so that scanners do not report this file as a leak.
PASSWORD = "hunter2!" + "Blue"


@pytest.mark.parametrize(
    "command",
    [
        "echo '{}' | sudo -S apt-get update",
        "echo 'bob:{}' | chpasswd",
        "echo {} | docker login -u bob --password-stdin",
        "CREATE USER b IDENTIFIED BY '{}'",
        "ALTER USER b WITH PASSWORD '{}'",
        "az login -u b -p {}",
        "zip -r -P {} out.zip src",
        "7z x -p{} a.7z",
        "ldapsearch -D cn=admin -w {}",
        "sqlcmd -S srv -P {}",
        "mongosh -u b -p {}",
        "http -a bob:{} GET x.example",
        "sqlplus scott/{}@db",
        "htpasswd -b .htpasswd bob {}",
        "ssh-keygen -t ed25519 -N '{}' -f k",
        "openssl rsa -in k.pem -passin pass:{}",
        "vault login {}",
        "vault kv put p first=x1 value={}",
        "gh secret set F --body {}",
        "fly secrets set E=x1 F={}",
        "kubectl create secret generic s --from-literal=pw={}",
        "aws configure set aws_secret_access_key {}",
        "npm config set //registry.example.com/:_authToken {}",
        "wrangler secret put KEY <<< '{}'",
        "smbclient //srv/share -U bob%{}",
        "oc login -u bob -p {}",
        "twine upload -u bob -p {} dist/x",
        "rabbitmqctl change_password bob {}",
        "net user bob {} /add",
        "useradd -m -p '{}' bob",
        "wpa_passphrase home {}",
        "ansible-vault encrypt_string '{}' --name x",
        "snmpwalk -v3 -A {0} -X {0} host",
        '["mysql", "-p{}"]',
        '["az", "login", "-u", "b", "-p", "{}"]',
    ],
)
def test_a_secret_of_a_command_is_masked(command: str) -> None:
    masked = redact(command.format(PASSWORD))

    assert PASSWORD not in masked
    assert masked.split()[0] == command.split()[0]


@pytest.mark.parametrize(
    "command",
    [
        "ssh-keygen -t ed25519 -N '' -f k",
        "zip -r out.zip src -x '*.pyc'",
        "7z a -mx=9 o.7z src",
        "mkdir -p src/components/LoginForm && cp -p a b",
        "npm install -w app",
        "sqlcmd -S srv -d db -E",
        "docker run -p 8080:80 nginx",
        "pytest -p no:cacheprovider -k token_refresh",
        "echo done | tee log",
        "echo 'a:b' | cut -d: -f1",
        "vault kv get secret/app",
        "gh secret list && fly secrets list",
        "aws configure list && az account list -o table",
        "curl -u bob https://x.example",
        "codex login\nThe next line has 2 words.",
    ],
)
def test_ordinary_commands_stay(command: str) -> None:
    assert redact(command) == command
