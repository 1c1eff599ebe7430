#!/bin/sh
# run.sh BUILD: run every suite that this machine can run, and add up.
#
# The last line is "N passed, N failed, N skipped".  A skip that is not in
# tests/expected-skips for this kind of machine counts as a failure.
set -eu
build=$1
tally=$(mktemp)
trap 'rm -f "$tally"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export WITNESS_TALLY="$tally"
# With SAN=1: memory is returned by exit, and the leak checker, a tracer,
# cannot work inside a fresh PID namespace.
export ASAN_OPTIONS=detect_leaks=0

# What kind of machine is this?  tests/vm/test.sh says so of the lab machine.
if [ "${WITNESS_KIND:-}" = lab ]; then
    kind=lab
elif [ "$(id -u)" -eq 0 ]; then
    kind=root
else
    kind=user
fi

count() {
    grep -c "^$1	" "$tally" || true
}

# A suite that fails without a failed test is broken itself.
broken=0
run_suite() { # HEADING COMMAND...
    printf '%s\n' "$1"
    shift
    before=$(count FAIL)
    "$@" && return
    status=$?
    if [ "$(count FAIL)" -eq "$before" ]; then
        printf '  FAIL  the suite itself: exit status %d\n' "$status"
        broken=$((broken + 1))
    fi
}

# Is this suite to run here?  In the lab machine, where all is ten times
# slower, root runs everything that a kernel can change the outcome of (in
# two parts, WITNESS_PART), and the ordinary user what asks who the caller
# is.  (preflight's suite becomes an ordinary user itself.)
wanted() { # SOURCE
    [ "$kind" = lab ] || return 0
    case $WITNESS_PART:$1 in
    *:tests/house/make_test.sh) return 1 ;; # compiles; make(1) has no kernel
    slow:tests/chapters/preflight_test.c) return 0 ;;
    slow:* | *:tests/chapters/preflight_test.c) return 1 ;;
    esac
    [ "$(id -u)" -eq 0 ] || grep -q AS_CALLER "$1"
}

for suite in tests/house/*_test.sh; do
    wanted "$suite" || continue
    run_suite "$suite" sh "$suite" "$build"
done
for source in tests/chapters/*_test.c; do
    wanted "$source" || continue
    topic=$(basename "$source" _test.c)
    for box in "$build"/chapters/*-"$topic/$topic"; do
        run_suite "chapter $topic" "$build/tests/chapters/${topic}_test" "$box"
    done
done
for source in tests/labs/*_lab_test.c; do
    wanted "$source" || continue
    topic=$(basename "$source" _lab_test.c)
    for box in "$build"/solutions/*-"$topic/${topic}_lab"; do
        run_suite "solution $topic" "$build/tests/labs/${topic}_lab_test" "$box"
    done
done
for source in tests/minibox/*_test.c; do
    wanted "$source" || continue
    name=$(basename "$source" .c)
    run_suite "minibox ${name%_test}" "$build/tests/minibox/$name" \
        "$build/minibox"
done

# Every console block of the book is run again, every link followed; of the
# programs as they are, not of sanitized ones.
if [ "$kind" != lab ] && [ "$build" = build ]; then
    run_suite 'the book' make --no-print-directory check-book
fi

# Some tests change user: in the lab machine they run when it is root's turn.
if [ "$kind" = lab ] && [ "$(id -u)" -ne 0 ]; then
    grep '	needs-root$' "$tally" >"$tally.roots" || true
    echo "$(wc -l <"$tally.roots") tests are for root alone, and ran there"
    grep -v '	needs-root$' "$tally" >"$tally.rest" || true
    mv "$tally.rest" "$tally"
    rm "$tally.roots"
fi

passed=$(count pass)
failed=$(($(count FAIL) + broken))
skipped=$(count skip)

# Every skip must be one that this kind of machine is known to need.
unexpected=$(grep '^skip	' "$tally" | while IFS='	' read -r _ suite test key; do
    grep -qE "^$kind +$key( |\$)" tests/expected-skips ||
        echo "  $suite $test ($key)"
done)
if [ -n "$unexpected" ]; then
    printf 'skipped, but not to be skipped on this kind of machine (%s):\n%s\n' \
        "$kind" "$unexpected"
    failed=$((failed + $(echo "$unexpected" | wc -l)))
fi
if [ "$failed" -gt 0 ]; then
    echo 'failed:'
    sed -n 's/^FAIL	\([^	]*\)	\([^	]*\).*/  \1 \2/p' "$tally"
fi
if [ "$skipped" -gt 0 ]; then
    echo 'skipped (reason and remedy stand above, at the test):'
    sed -n 's/^skip	\([^	]*\)	\([^	]*\)	\(.*\)/  \1 \2 (\3)/p' "$tally"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
