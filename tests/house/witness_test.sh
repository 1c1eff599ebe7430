#!/bin/sh
# witness_test.sh BUILD: does the witness notice?  cases_test has tests that
# must fail, each in its own way; here each is seen to.
set -eu
build=$1
. tests/lib.sh
suite witness
cases=$build/tests/house/cases_test
out=$(mktemp)
trap 'rm -f "$out"' EXIT

run_case() { # TEST: its output in $out, its status returned
    WITNESS_TALLY='' WITNESS_BOUND=${CASE_BOUND:-5} WITNESS_SETTLE=200 \
        "$cases" -t "$1" unshare --uts >"$out" 2>&1
}

passes() {
    run_case "$1" || { cat "$out"; return 1; }
    grep -q "^  pass  $1\$" "$out" || { cat "$out"; return 1; }
}

fails_saying() { # TEST WORDS...
    name=$1
    shift
    if run_case "$name"; then
        echo "$name passed"
        return 1
    fi
    for words in "FAIL  $name" "$@"; do
        grep -qF -- "$words" "$out" ||
            { echo "expected the words: $words"; cat "$out"; return 1; }
    done
}

hang_is_ended() {
    CASE_BOUND=1 fails_saying hang_with_descendants 'it hung' || return 1
    # Everything that it started is gone: nothing is reported as left.
    ! grep -q 'left behind' "$out" || { cat "$out"; return 1; }
}

group_is_seen() {
    # A group of our own, under the first hierarchy that we may write to.
    group=
    awk '$3 ~ /^cgroup/ { print $2 }' /proc/self/mounts >"$out"
    while [ -z "$group" ] && read -r root; do
        mkdir "$root/witness-case.$$" 2>/dev/null &&
            group=$root/witness-case.$$
    done <"$out"
    rmdir "$group" || return 1
    export CASE_GROUP="$group"
    fails_saying left_group "left behind: + cgroup $group"
    seen=$?
    rmdir "$group"
    return "$seen"
}

skip_is_told() {
    run_case skipped || return 1
    for words in 'skip  skipped' 'reason: the reason' 'remedy: the remedy'; do
        grep -qF "$words" "$out" || { cat "$out"; return 1; }
    done
}

killed_suite_leaves_nothing() {
    WITNESS_TALLY='' "$cases" -t hang_with_descendants unshare --uts \
        >"$out" 2>&1 &
    runner=$!
    mine="$cases -t hang_with_descendants"
    # Wait until the test is under way: the probe's children are there.
    tries=0
    while [ "$(pgrep -cf '/probe$' || true)" -lt 5 ] &&
        [ "$tries" -lt 200 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    kill -9 "$runner"
    wait "$runner" 2>/dev/null || true
    tries=0
    while pgrep -f "$mine" >/dev/null && [ "$tries" -lt 200 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    expect "processes left" "" "$(pgrep -af "$mine" || true)"
}

unknown_test_is_an_error() {
    run_case no_such_test && return 1
    expect_one_line "$out" 'no test is called no_such_test'
}

no_box_is_an_error() {
    "$cases" >"$out" 2>&1 && return 1
    expect_one_line "$out" 'usage:'
}

check true_claims_pass passes good_claim_passes
check exit_status_is_handed_on passes good_status_is_handed_on
check false_claim_is_caught_and_told fails_saying false_claim \
    "shares the outside's uts namespace" 'expected:' 'the kernel says:' \
    'read from:' '/ns/uts'
check false_answer_is_caught fails_saying false_answer 'EPERM' 'ok'
check box_that_does_not_start_is_told fails_saying box_that_fails \
    'did not start the probe' 'no-such-option'
check hanging_test_is_ended_with_its_descendants hang_is_ended
CASE_BOUND=1
check hanging_probe_is_told fails_saying probe_that_hangs 'no answer'
unset CASE_BOUND
check process_left_behind_is_caught fails_saying left_process \
    'left behind: + process'
check mount_left_behind_is_caught fails_saying left_mount \
    'left behind: + mount' '/mnt'
check crash_of_a_test_is_a_failure fails_saying crash 'killed by signal 9'
check skip_tells_reason_and_remedy skip_is_told
check killed_suite_leaves_no_process killed_suite_leaves_nothing
check unknown_test_is_refused unknown_test_is_an_error
check missing_box_is_refused no_box_is_an_error
case $PWD in
/tmp/*) ;; # there /tmp is shared with others, and not counted
*) check file_left_behind_is_caught fails_saying left_file \
    'left behind: + file /tmp/left' ;;
esac
if [ "$(id -u)" -eq 0 ]; then
    check cgroup_left_behind_is_caught group_is_seen
fi
finish
