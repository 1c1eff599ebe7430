# lib.sh - for tests written in shell; sourced by them.
#
#   suite NAME                       begin
#   check NAME COMMAND...            a test: passes when COMMAND does; what it
#                                    printed is shown when it fails
#   skip_test NAME KEY REASON REMEDY a test that cannot run here
#   finish                           the exit status
# shellcheck shell=sh

suite() {
    suite_name=$1
    suite_failed=0
}

result() { # pass|FAIL|skip NAME [KEY]
    printf '  %s  %s\n' "$1" "$2"
    [ -z "${WITNESS_TALLY:-}" ] ||
        printf '%s\t%s\t%s\t%s\n' "$1" "$suite_name" "$2" "${3:-}" \
            >>"$WITNESS_TALLY"
}

check() {
    check_name=$1
    shift
    if check_output=$("$@" 2>&1); then
        result pass "$check_name"
    else
        result FAIL "$check_name"
        printf '%s\n' "$check_output" | sed 's/^/        /'
        suite_failed=1
    fi
}

skip_test() {
    result skip "$1" "$2"
    printf '        reason: %s\n        remedy: %s\n' "$3" "$4"
}

finish() {
    exit "$suite_failed"
}

# expect WHAT EXPECTED SEEN: one comparison inside a test.
expect() {
    [ "$2" = "$3" ] && return 0
    printf '%s\n  expected: %s\n  seen:     %s\n' "$1" "$2" "$3"
    return 1
}

# expect_one_line FILE PART: exactly one line, with PART in it.
expect_one_line() {
    expect "lines on stderr" 1 "$(wc -l <"$1")" || { cat "$1"; return 1; }
    grep -qF -- "$2" "$1" ||
        { printf 'expected a line with: %s\nseen: ' "$2"; cat "$1"; return 1; }
}
