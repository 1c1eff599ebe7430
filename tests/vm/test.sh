#!/bin/sh
# test.sh BUILD: the whole suite in the lab machine, as root and as an
# ordinary user with a delegated control group.  There nothing may skip:
# tests/expected-skips has no line for it.
#
# The last line adds both up: "N passed, N failed, N skipped".
set -eu
build=$1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
totals=

# Software emulation is some ten times slower than this machine.
run="WITNESS_KIND=lab WITNESS_BOUND=\${WITNESS_BOUND:-90} tests/run.sh '$build'"

for user in '' 1; do
    echo "the lab machine, as ${user:+an ordinary user}${user:-root}" |
        sed 's/user1$/user/'
    # The status of the machine, not of tee(1).
    { VM_USER=$user VM_TIMEOUT=${VM_TIMEOUT:-900} tests/vm/vm -- "$run" 2>&1
      echo "exit status $?"; } | tee "$out"
    [ "$(tail -n 1 "$out")" = 'exit status 0' ] || status=1
    totals="$totals
$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$out" || true)"
done
echo "$totals" | awk '
    NF { passed += $1; failed += $3; skipped += $5; runs++ }
    END { if (runs < 2) failed++
          print passed " passed, " failed " failed, " skipped " skipped" }'
exit "$status"
