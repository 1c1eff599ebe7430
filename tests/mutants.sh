#!/bin/sh
# mutants.sh BUILD NN-topic...: each wrong solution must fail, and the first
# test that fails must be the one that its head names.
#
# tests/mutants/NN-topic/NAME.diff is a patch of the solution with a head:
#     Mistake: a sentence
#     Fails: the_test
set -eu
build=$1
shift
. tests/lib.sh
suite mutants
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mutant_fails() { # DIFF SOLUTION SUITE
    fails=$(sed -n '/^--- /q; s/^Fails: *//p' "$1")
    [ -n "$fails" ] || { echo "$1 names no test"; return 1; }
    "$3" -l | grep -qx "$fails" || { echo "no test is called $fails"; return 1; }
    cp "$2" "$work/mutant.c"
    patch -s -p1 --no-backup-if-mismatch "$work/mutant.c" "$1" || return 1
    cc -Wall -Wextra -Werror -o "$work/mutant" "$work/mutant.c" || return 1
    WITNESS_BOUND=${WITNESS_BOUND:-5} "$3" "$work/mutant" >"$work/out" 2>&1 || true
    first=$(sed -n 's/^  FAIL  //p' "$work/out" | head -n 1)
    expect "the first test that fails" "$fails" "$first" ||
        { cat "$work/out"; return 1; }
}

for name in "$@"; do
    topic=${name#*-}
    for mutant in tests/mutants/"$name"/*.diff; do
        check "$name: $(basename "$mutant" .diff)" mutant_fails "$mutant" \
            "solutions/$name/${topic}_lab.c" \
            "$build/tests/labs/${topic}_lab_test"
    done
done
finish
