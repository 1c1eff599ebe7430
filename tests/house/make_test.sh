#!/bin/sh
# make_test.sh BUILD: the Makefile keeps its promises: help, a path with a
# blank, an interrupted build, a missing package.
set -eu
. tests/lib.sh
suite make
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The make that called us handed its variables on.
unset MAKEFLAGS MFLAGS MAKELEVEL SAN V WERROR

help_names_each_target() {
    make >"$work/help" || return 1
    sed -n "s/^\.PHONY: \([a-z-]*\)\$/\1/p" Makefile book/book.mk >"$work/targets"
    while read -r target; do
        expect "lines of help for $target" 1 \
            "$(grep -c "^  make $target " "$work/help")" || return 1
    done <"$work/targets"
}

# A copy of what git knows, or would know, without what was built.
copy_to() {
    mkdir -p "$1"
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1"
}

blank_in_the_path_is_fine() {
    copy_to "$work/a path" || return 1
    cd "$work/a path" || return 1
    make -s WERROR=1 build/chapters/01-ipc/ipc build/tests/chapters/ipc_test \
        build/tests/probe build/rootfs/.made || return 1
    WITNESS_TALLY='' build/tests/chapters/ipc_test build/chapters/01-ipc/ipc
}

# A compiler that waits to be interrupted, half its output written.
interrupted_build_leaves_no_half_file() {
    copy_to "$work/interrupt" || return 1
    cd "$work/interrupt" || return 1
    mkfifo "$work/started" || return 1
    cat >"$work/cc" <<END
#!/bin/sh
while [ \$# -gt 0 ]; do [ "\$1" = -o ] && out=\$2; shift; done
echo half >"\$out"
echo >"$work/started"
exec tail -f /dev/null
END
    chmod +x "$work/cc"
    # A shell starts what is behind "&" with SIGINT ignored.
    env --default-signal=INT setsid make -s CC="$work/cc" \
        build/chapters/01-ipc/ipc >"$work/out" 2>&1 &
    timeout 20 cat "$work/started" >/dev/null ||
        { echo 'the compiler was not called'; return 1; }
    kill -INT "-$!"
    wait $! || true
    [ ! -e build/chapters/01-ipc/ipc ] ||
        { echo 'half a program was left'; cat "$work/out"; return 1; }
    make -s build/chapters/01-ipc/ipc && build/chapters/01-ipc/ipc --help \
        >/dev/null
}

nothing_to_do_builds_nothing() {
    expect "what make says" "" \
        "$(make -s --no-print-directory build 2>&1)" || return 1
    # Dry: no command would be run.
    expect "what make would run" "" "$(make -n build | grep -v '^make' |
        grep -v Nothing)"
}

# A PATH with the basics but without pandoc, and no way to become root.
missing_package_is_named() {
    mkdir -p "$work/bin"
    for tool in sh env id sed sort tr echo mktemp rm tail cat apt-get; do
        ln -s "$(command -v "$tool")" "$work/bin/$tool"
    done
    # Of these only the presence counts.
    for tool in gcc unifdef patch unshare ps busybox newuidmap capsh dot \
        python3; do
        ln -s /bin/true "$work/bin/$tool"
    done
    chmod 755 "$work" "$work/bin"
    as_user=
    [ "$(id -u)" -ne 0 ] ||
        as_user='setpriv --reuid 65534 --regid 65534 --clear-groups'
    cp tests/setup.sh "$work/"
    # shellcheck disable=SC2086 # words on purpose
    $as_user env PATH="$work/bin" SBIN= sh "$work/setup.sh" build book \
        >"$work/out" 2>"$work/err" </dev/null && code=0 || code=$?
    expect "exit status" 1 "$code" || { cat "$work/err"; return 1; }
    expect "the command to type" \
        "    apt-get install -y --no-install-recommends pandoc" \
        "$(tail -n 1 "$work/err")"
}

# A student's hour: the stub, the solution, a typing error, no such lab.
grade_tells_how_far_one_is() {
    copy_to "$work/grade" || return 1
    cd "$work/grade" || return 1
    lab=labs/01-ipc/ipc_lab.c
    unifdef -DSTUB -o "$lab" solutions/01-ipc/ipc_lab.c || [ $? -eq 1 ]
    unset WITNESS_TALLY
    make -s grade LAB=01-ipc >"$work/out" 2>&1 &&
        { echo 'the stub passes'; return 1; }
    for words in '  FAIL  box_has_its_own_ipc_namespace' 'expected:' \
        'the kernel says:' 'read from:' 'not yet'; do
        grep -qF "$words" "$work/out" || { cat "$work/out"; return 1; }
    done
    cp solutions/01-ipc/ipc_lab.c "$lab"
    make -s grade LAB=01-ipc >"$work/out" 2>&1 ||
        { echo 'the solution fails'; cat "$work/out"; return 1; }
    grep -qF 'the box has its own ipc namespace: ipc:[' "$work/out" ||
        { echo 'what was observed is not told'; return 1; }
    echo 'int main(void) { return 0 }' >"$lab"
    make -s grade LAB=01-ipc >"$work/out" 2>&1 && return 1
    grep -qF 'it does not compile' "$work/out" || return 1
    make -s grade LAB=99-none >"$work/out" 2>&1 && return 1
    grep -qF 'there is no lab 99-none' "$work/out"
}

check help_names_each_target_in_one_line help_names_each_target
check blank_in_the_path_is_fine blank_in_the_path_is_fine
check interrupted_build_leaves_no_half_file \
    interrupted_build_leaves_no_half_file
check grade_tells_how_far_one_is grade_tells_how_far_one_is
check nothing_to_do_builds_nothing nothing_to_do_builds_nothing
check missing_package_is_named_with_its_command missing_package_is_named
finish
