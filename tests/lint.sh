#!/bin/sh
# lint.sh: what a machine can say about style.  One line a check; ends with
# what was found.
set -u
. tests/lib.sh
suite lint

c_files=$(git ls-files '*.c' '*.h' 2>/dev/null || find . -name '*.[ch]' \
    -not -path './build/*')
# Labs are derived: their format is their solutions'.
formatted=$(echo "$c_files" | grep -v '^labs/')
shell_files=$(git ls-files '*.sh' .ci/run tests/vm/vm tests/vm/kernel)

formatting() {
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $formatted
}

# Every program, as the compiler that we do not build with sees it.
other_compiler() {
    for file in $formatted; do
        case $file in
        *.h) continue ;;
        chapters/24-minibox/* | tests/*) define=-D_GNU_SOURCE ;;
        *) define= ;;
        esac
        # shellcheck disable=SC2086
        clang -std=gnu11 -Wall -Wextra -Werror -fsyntax-only $define \
            -Itests/witness "$file" || return 1
    done
}

# No program here has threads; and cppcheck does not know minibox's autoclose.
static_analysis() {
    # shellcheck disable=SC2086
    cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
        --enable=warning,performance,portability --library=posix,gnu \
        --suppress=missingIncludeSystem --suppress=readdirCalled \
        --suppress=getpwuidCalled --suppress='resourceLeak:chapters/24-*' \
        -D_GNU_SOURCE -Itests/witness -j 2 $formatted
}

shell() {
    # shellcheck disable=SC2086
    shellcheck $shell_files
}

spelling() {
    # shellcheck disable=SC2046
    codespell $(git ls-files '*.md' '*.c' '*.h' '*.sh' Makefile) \
        --ignore-words tests/spelling
}

# STYLE: a printed chapter has 72 columns and 200 lines, a module 300.
# (What is over budget says so, with its reason, in tests/budgets.)
budget_of() { # FILE DEFAULT
    sed -n "s|^$1  *\([0-9]*\).*|\1|p" tests/budgets | grep . || echo "$2"
}
file_budgets() {
    over=0
    for file in $(git ls-files 'chapters/*.c' 'chapters/*.h'); do
        case $file in
        */24-minibox/*) lines=300 columns=80 ;;
        *) lines=200 columns=72 ;;
        esac
        lines=$(budget_of "$file" "$lines")
        awk -v f="$file" -v l="$lines" -v c="$columns" '
            length($0) > c { print f ":" NR ": over " c " columns"; bad = 1 }
            END { if (NR > l) { print f ": " NR " lines, budget " l; bad = 1 }
                  exit bad }' "$file" || over=1
    done
    return "$over"
}

# Functions: 40 lines in what is taught, 60 in what tests it.
function_budgets() {
    # shellcheck disable=SC2046
    pmccabe $(git ls-files 'chapters/*.c' 'solutions/*.c' 'tests/*.c') |
        awk '{ limit = $6 ~ /^tests/ ? 60 : 40
               if ($5 > limit) { print $6 ": " $7 " has " $5 " lines"; bad = 1 } }
             END { exit bad }'
}

# A page is 1,500 to 3,000 words; an index is not a chapter.
page_budgets() {
    over=0
    for page in book/[0-9]*-*.md; do
        words=$(wc -w <"$page")
        if [ "$words" -lt 1200 ] || [ "$words" -gt 3600 ]; then
            echo "$page: $words words"
            over=1
        fi
    done
    return "$over"
}

unfinished() {
    found=$(git grep -nE '\b(FIXME|XXX|HACK)\b' -- ':!tests/lint.sh') || true
    expect "marks of unfinished work" "" "$found"
}

sleeps() {
    found=$(git grep -nE '\b(usleep|sleep|nanosleep)\(' -- 'chapters/*.c' \
        'solutions/*.c' 'tests/*.c') || true
    expect "sleep as synchronisation" "" "$found"
}

check formatting formatting
check clang_has_no_warning other_compiler
check static_analysis static_analysis
check shell shell
check spelling spelling
check file_budgets file_budgets
check function_budgets function_budgets
check page_budgets page_budgets
check no_unfinished_work unfinished
check no_sleep_orders_anything sleeps
finish
