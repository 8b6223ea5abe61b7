#!/bin/sh
# venv.sh LOCKFILE: makes .venv with a Python that really runs and installs the lock file, hashes checked.
# Quick when there is nothing to do. PYTHON=/path/to/python3 chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
lock=$1
venv=.venv

say() { echo "$*" >&2; }
give_up() {
    say "$*"
    exit 1
}

is_usable() { # runs, is new enough, and can make environments
    "$1" -I -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

# A file named python3 on the PATH proves nothing: it may be a shim of a version that isn't there.
candidates() {
    for name in python3 python3.13 python3.14 python3.12 python3.11 python; do
        echo "${PATH:-}" | tr ':' '\n' | while IFS= read -r folder; do
            [ ! -x "$folder/$name" ] || echo "$folder/$name"
        done
    done
    for file in /usr/bin/python3 /usr/local/bin/python3* /opt/homebrew/bin/python3* "${HOME:-/}"/.pyenv/versions/3.1*/bin/python3; do
        [ ! -x "$file" ] || echo "$file"
    done
}

has_own_pip() {
    "$1" -I -c 'import ensurepip' >/dev/null 2>&1
}

borrowed_pip() { # for an interpreter: a Python whose pip can install into another environment (pip 22.3 and later)
    IFS='
'
    for helper in $(candidates); do
        if "$helper" -m pip --python "$1" --version >/dev/null 2>&1; then
            echo "$helper"
            return
        fi
    done
    return 1
}

# Linux: one that loads itself as a shared library takes a sixth more CPU for everything, or worse.
is_swift() {
    case ":${PATH:-}:" in *":${1%/*}:"*) ;; *) return 1 ;; esac
    "$1" -I -c 'import sys; sys.exit("libpython3" in open("/proc/self/maps").read())' >/dev/null 2>&1 || return 1
    has_own_pip "$1" || borrowed_pip "$1" >/dev/null || command -v uv >/dev/null 2>&1
}

first_that() { # the first of the list that is usable and passes a test
    for file in $list; do
        if is_usable "$file" && "$@" "$file"; then
            echo "$file"
            return
        fi
    done
    return 1
}

choose_python() {
    list=${PYTHON:-$(candidates)}
    IFS='
'
    first_that is_swift || first_that has_own_pip || first_that true
}

make_venv() {
    python=$(choose_python) || give_up "No working Python 3.11 to 3.14 found; install one or set PYTHON=/path/to/python3."
    say "Making $venv with $python"
    rm -rf "$venv"
    "$python" -m venv "$venv" >/dev/null 2>&1 && return
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv" || give_up "$python cannot make an environment; set PYTHON=/path/to/python3."
}

install_lock() {
    say "Installing $lock"
    set -- install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps -r "$lock"
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$venv/bin/python" -m pip "$@"
    elif helper=$(borrowed_pip "$venv/bin/python"); then
        "$helper" -m pip --python "$venv/bin/python" "$@"
    elif command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python "$venv/bin/python" --require-hashes --no-deps -r "$lock"
    else
        give_up "No pip found for any Python here; install it (on Debian: apt install python3-venv) and try again."
    fi
}

"$venv/bin/python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' >/dev/null 2>&1 || make_venv
# The stamps are copies of the lock files. The development lock holds all of the runtime lock and stamps for both.
cmp -s "$lock" "$venv/$lock" && exit 0
install_lock
cp requirements.lock "$venv/requirements.lock"
[ "$lock" = requirements.lock ] && rm -f "$venv/requirements-dev.lock"
cp "$lock" "$venv/$lock"
