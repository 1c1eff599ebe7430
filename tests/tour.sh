#!/bin/sh
# tour.sh BUILD: a walk through the chapters' demos on the running kernel,
# which ends inside a container.
#
# The words come from the chapters themselves: what the head comment of each
# program says that you learn.  As an ordinary user the chapters that need root
# run in a user namespace, where that user is root.
set -eu
build=$1
minibox=$build/minibox
work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "${box:-}" ] || kill "$box" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi

heading() {
    printf '\n%s== %s ==%s\n' "$bold" "$1" "$plain"
}
say() {
    printf '\n%s\n' "$*" | fold -s -w 76 | sed 's/ *$//'
}
# Shows a command, and runs it; what it prints is set off.
run() {
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@" 2>&1 | sed 's/^/  /'
}
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        run "$@"
    else
        run unshare --user --map-root-user -- "$@"
    fi
}

# What the program's head comment says: "You learn ...", "You see ...".
narrate() {
    for part in learn see; do
        words=$(sed -n "/^ \\* You $part/,/^ \\* [ABR][a-z]/{/^ \\* [ABR]/d
            s/^ \\* *//;p}" "$1" | tr -s ' \n' ' ' |
            sed 's|^You see |You will see: |')
        say "$words"
    done
}

welcome() {
    heading 'From clone() to Container'
    say 'A container is not a thing that the kernel knows. It is a process' \
        'that was given its own view of some of the kernel'"'"'s tables. In the' \
        'next two minutes you watch these views appear, one by one, on your' \
        'own kernel: '"$(uname -sr)."
}

preflight() {
    heading '00-preflight: what does this machine allow?'
    run "$build/chapters/00-preflight/preflight" || true
}

chapters() {
    for source in chapters/[0-9]*-*/*.c; do
        name=$(basename "$(dirname "$source")")
        topic=${name#*-}
        case $name in
        00-preflight | *-minibox) continue ;;
        esac
        heading "$name"
        narrate "$source"
        echo
        case $topic in
        user) run "$build/chapters/$name/$topic" ;;
        *) as_root "$build/chapters/$name/$topic" ;;
        esac
    done
}

# With limits where this user may set them.
limits() {
    if "$minibox" run --memory 64M --pids 32 "$build/rootfs" -- /bin/true \
        2>"$work/why"; then
        echo '--memory 64M --pids 32'
    else
        echo "(without limits: $(cat "$work/why"))" >&2
    fi
}

container() {
    heading 'minibox: all of it at once'
    say 'Now every view at once, a root filesystem made of one busybox,' \
        'a limit on memory and on processes, and a small init as PID 1.'
    limits=$(limits)
    mkfifo "$work/in" "$work/out"
    # shellcheck disable=SC2086 # words on purpose
    "$minibox" run --hostname ship $limits "$build/rootfs" -- /bin/sh \
        <"$work/in" >"$work/out" 2>&1 &
    box=$!
    exec 8>"$work/in" 9<"$work/out"
    printf '%s$ minibox run --hostname ship %s %s -- /bin/sh%s\n' \
        "$bold" "$limits" "$build/rootfs" "$plain"
    inside 'hostname'
    inside 'id'
    inside 'ps -o pid,user,args'
    inside 'ls /'
    inside 'ip -o link'
    inside 'echo made by root inside >/tmp/letter; ls -ln /tmp/letter'
    # The shell inside, as the kernel numbers it outside.
    shell=$(pgrep -P "$(pgrep -P "$box" | head -n 1)" | head -n 1)
    say 'The same file and the same shell, seen from outside:'
    outside "ls -ln $build/rootfs/tmp/letter"
    outside "grep -E '^(Name|NSpid|Uid|NoNewPrivs)' /proc/$shell/status"
    outside "cat /proc/$shell/uid_map"
    outside "cat /proc/$shell/cgroup | head -3"
    outside "readlink /proc/self/ns/pid /proc/$shell/ns/pid"
    inside 'rm /tmp/letter'
    exec 8>&-
    cat <&9 >/dev/null
    exec 9<&-
    wait "$box" && code=0 || code=$?
    box=
    say "The shell ended (status $code), and with it all that it had:" \
        'no process, no mount, no interface, no control group is left.'
}

# Types one line inside; what it prints ends at a mark.
inside() {
    printf '%s  inside# %s%s\n' "$bold" "$1" "$plain"
    printf '%s\necho end-of-step\n' "$1" >&8
    while read -r line <&9 && [ "$line" != end-of-step ]; do
        printf '    %s\n' "$line"
    done
}
outside() {
    printf '%s  outside$ %s%s\n' "$bold" "$1" "$plain"
    sh -c "$1" | sed 's/^/    /'
}

next() {
    heading 'And now'
    cat <<'END'
  make test                  sees all of this tested, from outside
  make demo CHAPTER=02-pid   plays a chapter, step by step
  labs/01-ipc/README.md      is your first lab; make grade LAB=01-ipc judges it
END
}

welcome
preflight
chapters
container
next
