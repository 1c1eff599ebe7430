#!/bin/sh
# chapters_test.sh BUILD: what every chapter promises.
set -eu
. tests/lib.sh
suite chapters
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The head comment has one line "Build  cc ...": run exactly that, with
# nothing in the directory but the file.
head_line_builds() { # FILE
    rm -rf "${work:?}/one"
    mkdir "$work/one"
    cp "$1" "$work/one/"
    line=$(sed -n 's/^ \* Build:\{0,1\}  *\(cc .*\)$/\1/p' "$1" | head -n 1)
    [ -n "$line" ] || { echo "$1: no line with cc in the head"; return 1; }
    said=$(cd "$work/one" && eval "$line" 2>&1) || { echo "$said"; return 1; }
    expect "what the compiler says" "" "$said" || return 1
    topic=$(basename "$1" .c)
    [ -x "$work/one/$topic" ] || { echo "$line made no $topic"; return 1; }
}

fits_the_page() { # FILE
    awk -v f="$1" 'length($0) > 72 { print f ":" NR ": over 72 columns"; n++ }
        END { exit n > 0 }' "$1"
}

help_is_printed() { # PROGRAM
    "$1" --help >"$work/out" 2>"$work/err" || return 1
    expect "lines on stderr" 0 "$(wc -l <"$work/err")" || return 1
    grep -qi '^usage:' "$work/out" || { cat "$work/out"; return 1; }
}

usage_error_is_one_line() { # PROGRAM
    "$1" --no-such-option >"$work/out" 2>"$work/err" && code=0 || code=$?
    expect "exit status" 125 "$code" || return 1
    expect "bytes on stdout" 0 "$(wc -c <"$work/out")" || return 1
    expect_one_line "$work/err" ''
}

for file in chapters/[0-9]*/*.c labs/[0-9]*/*.c; do
    case $file in
    */24-minibox/*) continue ;;
    esac
    name=$(basename "$(dirname "$file")")
    [ "${file#chapters}" = "$file" ] ||
        check "$name: the line in the head builds it" head_line_builds "$file"
    check "$(dirname "$file"): fits the printed page" fits_the_page "$file"
done
for program in "$1"/chapters/*/*; do
    case $program in *.d) continue ;; esac
    name=$(basename "$(dirname "$program")")
    check "$name: --help is printed on stdout" help_is_printed "$program"
    check "$name: a usage error is one line, status 125" \
        usage_error_is_one_line "$program"
done
finish
