#!/bin/sh
# The checks and the tests: first what can share the machine, in PYTEST_WORKERS processes, then what needs all of it, one
# at a time. Everything runs, whatever fails. `sh deploy/tests.sh "not long"` leaves out what that mark expression does.
set -u
unset PYTHONDONTWRITEBYTECODE # what one process compiled, the others need not
bin=.venv/bin
failed=0
ran=0

tests() { # mark expression, number of processes; pytest's status 5 is "nothing selected"
    # shellcheck disable=SC2086 # PYTEST_ARGS are words
    eval "\"$bin/python\" -m pytest -n \"$2\" -m \"$1\" ${PYTEST_ARGS:-}"
    status=$?
    [ $status = 5 ] && return
    ran=1
    [ $status = 0 ] || failed=1
}

# One core's work beside tests that wait. Told at the end: here the lines of both would mix.
told=$(mktemp)
trap 'rm -f "$told"' EXIT
sh deploy/checks.sh >"$told" 2>&1 &
checks=$!
trap 'kill $checks 2>/dev/null; exit 130' INT TERM
# The first time each of the processes would compile all tests, at the same moment.
[ -d tests/__pycache__ ] || "$bin/python" -m pytest --collect-only --quiet >/dev/null 2>&1
cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
tests "($1) and not alone" "${PYTEST_WORKERS:-$((cores + 2))}" # two more than cores: many tests wait for a clock
wait $checks || failed=1
tests "($1) and alone" 0
cat "$told"
[ $ran = 1 ] || { echo "no test was selected" >&2; failed=1; }
exit $failed
