#!/bin/sh
# grade.sh BUILD NN-topic...: build and judge the student's files.
#
# Exits 0 when every test of every lab named passes, and 1 otherwise.
set -eu
build=$1
shift
status=0
for name in "$@"; do
    topic=${name#*-}
    box=$build/labs/$name/${topic}_lab
    suite=$build/tests/labs/${topic}_lab_test
    if [ ! -d "labs/$name" ]; then
        echo "grade: there is no lab $name; there are:" labs/[0-9]*-*/ >&2
        exit 125
    fi
    echo "lab $name: labs/$name/${topic}_lab.c"
    if ! make --no-print-directory "$box" "$suite"; then
        echo "  FAIL  it does not compile"
        status=1
        continue
    fi
    WITNESS_VERBOSE=1 "$suite" "$box" || status=1
done
if [ "$status" -ne 0 ]; then
    echo 'not yet: begin with the first FAIL above; the README beside the lab has hints'
fi
exit "$status"
