#!/bin/sh
# derive-labs.sh [--check] [NN-topic...]: labs/ from solutions/.
#
# A lab is its solution with STUB defined: unifdef(1) drops what the student
# is to write and keeps the stub.  labs/.derived remembers the checksum of
# each file as it was derived; a file that differs from it is someone's work
# and is never overwritten.  --check changes nothing and says what differs.
set -eu
check=
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
record=labs/.derived
status=0

sum() {
    sha256sum <"$1" | cut -d' ' -f1
}

complain() {
    echo "labs: $1" >&2
    status=1
}

# Writes to a file beside it first: a full disk or a signal loses nothing.
replace() { # FILE NEW
    mv -f "$2" "$1"
}

derive() {
    name=$1
    topic=${name#*-}
    from=solutions/$name/${topic}_lab.c
    to=labs/$name/${topic}_lab.c
    [ -f "$from" ] || { complain "$from is missing"; return; }
    mkdir -p "labs/$name"
    new=labs/$name/.new.$$
    # unifdef: 0 unchanged, 1 changed, 2 trouble.
    unifdef -DSTUB -o "$new" "$from" 2>/dev/null && code=0 || code=$?
    # All is there only when the last line is.
    if [ "$code" -gt 1 ] || [ "$(tail -n 1 "$from")" != "$(tail -n 1 "$new")" ]
    then
        rm -f "$new"
        complain "cannot write $to (is the disk full?); it is as it was"
        return
    fi
    known=$(sed -n "s|^\([0-9a-f]*\)  $to\$|\1|p" "$record" 2>/dev/null || true)
    if [ -f "$to" ] && [ "$(sum "$to")" = "$(sum "$new")" ]; then
        rm -f "$new"
        now=$(sum "$to")
    elif [ -n "$check" ]; then
        rm -f "$new"
        complain "$to is not what $from derives (run make labs)"
        return
    elif [ -f "$to" ] && [ "$(sum "$to")" != "$known" ]; then
        rm -f "$new"
        complain "$to has been changed; move it away to derive it again"
        return
    else
        replace "$to" "$new"
        now=$(sum "$to")
        echo "  LAB   $to"
    fi
    [ "$known" = "$now" ] && return
    [ -z "$check" ] || { complain "$record does not know $to"; return; }
    { grep -v "  $to\$" "$record" 2>/dev/null || true
      echo "$now  $to"; } | sort -k 2 >"$record.new"
    replace "$record" "$record.new"
}

trap 'rm -f labs/*/.new.$$ labs/.derived.new' EXIT
trap 'exit 130' INT TERM
for lab in "$@"; do
    derive "$lab"
done
exit "$status"
