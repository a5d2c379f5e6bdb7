#!/usr/bin/env bash
# Make .venv: the packages of requirements-dev.lock, each checked against its hash, and this project, editable.
# What was installed is remembered by the hash of everything that decides it; when that is the same, nothing is done.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly venv=.venv
readonly stamp=$venv/.installed
# Compiled by the installation, into the source tree.
readonly helper=controller/swarm/helper
# Debian's python3 comes without the parts that make virtual environments; other builds have them.
readonly usable='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
readonly new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

wanted() {
    { printf '%s\n' "$PWD"; cat requirements-dev.lock pyproject.toml hatch_build.py $helper/env.c deploy/setup/setup.sh; } | sha256sum | cut -d' ' -f1
}

# The first Python whose check succeeds; a name that is only a shim for a version that is not there fails it.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c "$1" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    printf 'setup: installing Debian packages: %s\n' "$*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    # The lists may be old or absent.
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python() {
    find_python "$usable" && return
    find_python "$new_enough" >/dev/null || apt_install python3 >&2 || true
    apt_install python3-venv >&2 || true
    find_python "$usable" && return
    fail "no Python 3.11 or newer that can make virtual environments: install python3 and python3-venv, or set PYTHON"
}

if [ ! -e $helper/env-amd64 ] || [ ! -e $helper/env-arm64 ]; then
    rm -f $stamp
fi
if [ -x $venv/bin/python ] && [ "$(cat $stamp 2>/dev/null)" = "$(wanted)" ] && $venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

# Two runs at once would break each other's environment.
exec 9>.setup.lock
flock 9
if [ "$(cat $stamp 2>/dev/null)" = "$(wanted)" ]; then
    exit 0
fi

rm -f $stamp
if ! { [ -x $venv/bin/pip ] && $venv/bin/python -c "$new_enough" 2>/dev/null; }; then
    chosen=$(python)
    printf 'setup: making %s with %s\n' "$venv" "$("$chosen" --version)"
    "$chosen" -m venv --clear $venv
fi
printf 'setup: installing %s locked packages\n' "$(grep -c '^[a-z0-9].*==' requirements-dev.lock)"
pip="$venv/bin/python -m pip --disable-pip-version-check -qq"
$pip install --require-hashes --no-deps --requirement requirements-dev.lock \
    || fail "the packages could not be installed: see pip's message above (a proxy or an index is set by pip's own configuration)"
$pip install --no-deps --no-build-isolation --editable . \
    || fail "the project itself could not be installed: see pip's message above"
wanted >$stamp.new
mv $stamp.new $stamp
printf 'setup: done, %s is ready\n' "$venv"
