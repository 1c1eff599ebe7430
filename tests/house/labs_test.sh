#!/bin/sh
# labs_test.sh BUILD: deriving labs loses nobody's work.  Runs on a little
# course of its own, in a temporary directory.
set -eu
. tests/lib.sh
suite labs
derive=$PWD/tests/derive-labs.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

new_course() {
    rm -rf "$work/course"
    mkdir -p "$work/course/solutions/01-a" "$work/course/labs"
    cd "$work/course" || return 1
    cat >solutions/01-a/a_lab.c <<'END'
int main(void)
{
#ifndef STUB
    return 0;
#else
    /* TODO: return 0 */
    return 1;
#endif
}
END
    "$derive" 01-a
}

stub_is_derived() {
    new_course || return 1
    grep -q 'TODO' labs/01-a/a_lab.c || return 1
    expect "lines of the solution" 0 "$(grep -c 'return 0;' labs/01-a/a_lab.c)" ||
        return 1
    expect "files" "labs/.derived labs/01-a/a_lab.c" \
        "$(find labs -type f | sort | tr '\n' ' ' | sed 's/ $//')" || return 1
    "$derive" --check 01-a
}

untouched_lab_is_renewed() {
    new_course || return 1
    sed -i 's/return 1/return 2/' solutions/01-a/a_lab.c
    if "$derive" --check 01-a; then
        echo 'the check did not see the change'
        return 1
    fi
    "$derive" 01-a && grep -q 'return 2' labs/01-a/a_lab.c
}

changed_lab_is_kept() {
    new_course || return 1
    echo '/* my work */' >>labs/01-a/a_lab.c
    sed -i 's/return 1/return 2/' solutions/01-a/a_lab.c
    "$derive" 01-a 2>"$work/err" && { echo 'it was overwritten'; return 1; }
    expect_one_line "$work/err" 'labs/01-a/a_lab.c has been changed' || return 1
    grep -q 'my work' labs/01-a/a_lab.c
}

# A file system with no room: a tmpfs of one page, in a mount namespace.
full_disk_loses_nothing() {
    new_course || return 1
    before=$(sha256sum labs/01-a/a_lab.c)
    yes '/* a long solution */' | head -n 2000 >>solutions/01-a/a_lab.c
    # shellcheck disable=SC2016 # for the inner shell
    unshare -Urm sh -c '
        mkdir "$1/small" && mount -t tmpfs -o size=8k full "$1/small" &&
        cp -r labs/. "$1/small/" && mount --bind "$1/small" labs || exit 99
        "$2" 01-a 2>"$1/err" && exit 1
        sha256sum labs/01-a/a_lab.c; find labs -name ".new*"' \
        sh "$work" "$derive" >"$work/after" || { cat "$work/err"; return 1; }
    expect "the lab afterwards" "$before" "$(cat "$work/after")" || return 1
    expect_one_line "$work/err" 'is the disk full?'
}

missing_solution_is_told() {
    new_course || return 1
    "$derive" 02-none 2>"$work/err" && return 1
    expect_one_line "$work/err" 'solutions/02-none/none_lab.c is missing'
}

check stub_is_derived stub_is_derived
check untouched_lab_is_renewed untouched_lab_is_renewed
check changed_lab_is_kept changed_lab_is_kept
check full_disk_loses_nothing full_disk_loses_nothing
check missing_solution_is_told missing_solution_is_told
finish
