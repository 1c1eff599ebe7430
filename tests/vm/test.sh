#!/bin/sh
# test.sh BUILD: the whole suite in the lab machine as root, and what asks who
# its caller is as an ordinary user with a delegated control group, in three
# machines at once.  There nothing may skip: tests/expected-skips has no line
# for it.
#
# The last line adds all up: "N passed, N failed, N skipped".
set -eu
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"; kill $machines 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
machines=

# The machine's kernel is unpacked once, not by both at once.
tests/vm/vm -- true

# Software emulation is some ten times slower than this machine.
start() { # NAME VM_USER PART
    VM_USER=$2 VM_TIMEOUT=${VM_TIMEOUT:-1200} tests/vm/vm -- "
        export WITNESS_KIND=lab WITNESS_PART=$3
        WITNESS_BOUND=\${WITNESS_BOUND:-90} tests/run.sh '$build'" \
        >"$work/$1" 2>&1 </dev/null &
    machines="$machines $!"
    eval "$1=$!"
}

# Prints what a machine says, while it says it, until it has ended.
follow() { # NAME PID
    echo "the lab machine: $1"
    tail -n +1 -f --pid="$2" "$work/$1"
    wait "$2" || status=1
}

status=0
start slow '' slow
start root '' rest
start user 1 rest
# shellcheck disable=SC2154 # set by start
{
    follow root "$root"
    follow slow "$slow"
    follow user "$user"
}
machines=
cat "$work/root" "$work/slow" "$work/user" | awk '
    /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped/ {
        passed += $1; failed += $3; skipped += $5; runs++ }
    END { if (runs < 3) failed++
          print passed " passed, " failed " failed, " skipped " skipped" }'
exit "$status"
