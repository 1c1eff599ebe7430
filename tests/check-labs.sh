#!/bin/sh
# check-labs.sh BUILD NN-topic...: prove the four facts of each lab.
#
#   the derived file equals the committed one
#   the stub compiles without a warning
#   the stub fails its tests
#   the solution passes them, and compiles without a warning
set -eu
build=$1
shift
. tests/lib.sh
suite check-labs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compiles_clean() {
    cc -Wall -Wextra -Werror -o "$work/program" "$1"
}
stub_fails() {
    "$1" "$2" >"$work/out" 2>&1 && { echo "the stub passes its tests"; return 1; }
    # It must fail by tests, not because the suite could not run.
    grep -q '^  FAIL' "$work/out" || { cat "$work/out"; return 1; }
}

for name in "$@"; do
    topic=${name#*-}
    tests=$build/tests/labs/${topic}_lab_test
    solution=solutions/$name/${topic}_lab.c
    lab=$work/${topic}_lab.c
    check "$name: the committed lab is what the solution derives" \
        tests/derive-labs.sh --check "$name"
    unifdef -DSTUB -o "$lab" "$solution" || [ $? -eq 1 ]
    check "$name: the stub compiles without a warning" compiles_clean "$lab"
    check "$name: the stub fails its tests" stub_fails "$tests" "$work/program"
    check "$name: the solution compiles without a warning" \
        compiles_clean "$solution"
    check "$name: the solution passes its tests" "$tests" "$work/program"
done
finish
