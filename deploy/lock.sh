#!/bin/sh
# Pins every package with the hashes of all its files, for all platforms and Python 3.11 to 3.14.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-emit-index-url \
        --no-emit-find-links --no-annotate --custom-compile-command "make lock" "$@"
}
compile pyproject.toml -o requirements.lock
compile pyproject.toml --group dev --constraint requirements.lock -o requirements-dev.lock
