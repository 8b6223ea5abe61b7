#!/bin/sh
# Everything that can be known without running the code. All four run, whatever the first ones say.
cd "$(dirname "$0")/.." || exit 1
failed=""
check() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed, $name"
}
PATH="$PWD/.venv/bin:$PATH"
check "ruff check" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "mypy" mypy --no-error-summary
check "import rules" lint-imports --no-logo
[ -z "$failed" ] && exit 0
echo "failed: ${failed#, }" >&2
exit 1
