#!/bin/bash
# vm_test.sh - tests of the lab machine. Prints "ok NAME" or "FAIL NAME: why"
# for each and exits 1 if one failed. Names as arguments: run only those.
# shellcheck disable=SC2016 # commands for inside are quoted once
set -u
export LC_ALL=C

cd "$(dirname "$0")/../.." || exit
vm=$PWD/tests/vm/vm
# for every child's nameless files; nothing may be left in it
scratch=$(mktemp -d)
chmod 755 "$scratch"
export TMPDIR=$scratch/tmp
mkdir -m 1777 "$TMPDIR"
trap 'rm -rf "$scratch"' EXIT
failed=0

# Stop the test with a reason.
fail()
{
    printf '%s\n' "$*" >&3
    exit 1
}

# equal WHAT GOT WANTED
equal()
{
    [[ $2 == "$3" ]] || fail "$1 is '${2:0:200}', expected '${3:0:200}'"
}

# contains WHAT GOT PART
contains()
{
    [[ $2 == *"$3"* ]] || fail "$1 is '${2:0:300}', lacks '$3'"
}

# Run the machine; leaves $out, $err and $code.
run()
{
    "$@" >"$scratch/out" 2>"$scratch/err"
    code=$?
    out=$(tr -d '\0' <"$scratch/out")
    err=$(<"$scratch/err")
}

# Start a machine whose command says "up" and stays; leaves the script's id
# in $script and QEMU's in $qemu.
start_lasting()
{
    local child

    exec 4< <(exec "$vm" -- 'echo up; exec sleep 1000' 2>"$scratch/err")
    script=$!
    read -r -t 200 line <&4 || fail "no output: $(<"$scratch/err")"
    equal "first line" "$line" up
    qemu=
    for child in $(<"/proc/$script/task/$script/children"); do
        [[ $(<"/proc/$child/comm") == qemu* ]] && qemu=$child
    done
    [[ $qemu ]] || fail "the script has no QEMU child"
}

# Both have ended, and no file is left.
ended_clean()
{
    timeout 20 tail --pid="$script" -f /dev/null || fail "the script goes on"
    timeout 20 tail --pid="$qemu" -f /dev/null || fail "QEMU goes on"
    equal "temporary files" "$(ls -A "$TMPDIR")" ""
}

# ---- the command's status and output ---------------------------------------

status_zero_is_returned()
{
    run "$vm" -- true
    equal status "$code" 0
    equal stdout "$out" ""
    equal stderr "$err" ""
}

status_seven_is_returned_and_streams_stay_apart()
{
    run "$vm" -- 'echo to stdout; echo to stderr >&2; exit 7'
    equal status "$code" 7
    equal stdout "$out" "to stdout"
    equal stderr "$err" "to stderr"
}

death_by_signal_is_128_plus_its_number()
{
    run "$vm" -- 'kill -KILL $$'
    equal status "$code" 137
}

binary_output_arrives_intact()
{
    local want got

    # every byte value, no newline at the end, 100 kB
    want=$(perl -e 'print map { pack "C", $_ * 7 % 256 } 1 .. 100000' |
        sha256sum)
    got=$("$vm" -- \
        'perl -e "print map { pack q(C), \$_ * 7 % 256 } 1 .. 100000"' |
        sha256sum)
    equal "checksum" "$got" "$want"
}

command_starts_with_plain_signals_and_three_descriptors()
{
    run "$vm" -- 'grep -E "^Sig(Blk|Ign)" /proc/self/status | cut -f2
        ls /proc/$$/fd | xargs
        orphan=$( (exec sleep .1 >/dev/null & echo $!) )
        timeout 20 tail --pid=$orphan -f /dev/null && echo reaped'
    equal stdout "${out//$'\n'/ }" \
        "0000000000000000 0000000000000000 0 1 2 reaped"
}

process_left_behind_does_not_hold_the_machine()
{
    run "$vm" -- 'setsid sleep 1000 & echo done'
    equal status "$code" 0
    equal stdout "$out" "done"
}

reader_that_goes_away_ends_the_machine()
{
    timeout 200 "$vm" -- 'yes' 2>"$scratch/err" | head -n 1 >"$scratch/out"
    equal status "${PIPESTATUS[0]}" 141
    equal stderr "$(<"$scratch/err")" ""
}

# ---- what is inside --------------------------------------------------------

host_keeps_its_files()
{
    local mark="$scratch/mark" name=vm-test.$$

    echo before >"$mark"
    run "$vm" -- "echo after >tests/vm/$name; rm README.md
        echo after >/etc/$name; mkdir -p '$scratch'; echo after >'$mark'
        cat tests/vm/$name /etc/$name"
    equal status "$code" 0
    equal stdout "$out" $'after\nafter'
    equal "the mark" "$(<"$mark")" before
    [[ ! -e tests/vm/$name && ! -e /etc/$name ]] ||
        fail "a file made inside is on the host"
}

cgroups_are_pure_v2_with_all_controllers()
{
    run "$vm" -- 'stat -f -c %T /sys/fs/cgroup; cat /proc/self/cgroup
        echo $(cat /sys/fs/cgroup/cgroup.subtree_control)
        grep -c " cgroup " /proc/self/mountinfo'
    contains "file system" "$out" cgroup2fs
    contains "own group" "$out" 0::/lab
    for name in memory pids cpu io cpuset; do
        contains "controllers" " ${out//$'\n'/ } " " $name "
    done
    equal "v1 mounts" "${out##*$'\n'}" 0
}

kernel_has_apparmor_and_eight_namespaces()
{
    run "$vm" -- 'cat /sys/kernel/security/lsm; echo
        cat /sys/module/apparmor/parameters/enabled; hostname
        ls /proc/self/ns | grep -vc _for_
        unshare -UrmuipnCT --fork echo all; uname -v'
    equal stderr "$err" ""
    equal status "$code" 0
    contains "security modules" "$out" apparmor
    contains "enabled, host, namespaces" "$out" $'\nY\nlab\n8\nall\n'
    contains "kernel" "$out" Debian
}

modules_load_when_used()
{
    run "$vm" -- 'ip link add veth0 type veth peer name veth1 &&
        ip link add br0 type bridge && : <>/dev/net/tun &&
        truncate -s 8M /tmp/d && /sbin/mkfs.ext4 -q /tmp/d &&
        mount -o loop /tmp/d /mnt && mkdir /tmp/u /tmp/w /tmp/o &&
        mount -t overlay -o lowerdir=/etc,upperdir=/tmp/u,workdir=/tmp/w o \
            /tmp/o && ls /tmp/o/passwd && ip -br addr show lo'
    equal "stderr" "$err" ""
    contains "overlay" "$out" /tmp/o/passwd
    contains "loopback" "$out" "127.0.0.1"
}

student_has_a_delegated_group_and_ranges()
{
    run env VM_USER=1 "$vm" -- 'set -e; id -un; id -u; cd; pwd
        group=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)
        box=${group%/*}/box
        mkdir $box; echo 9 >$box/pids.max; cat $box/pids.max
        echo $$ >$box/cgroup.procs; cut -d/ -f6 /proc/self/cgroup
        unshare -U --map-root-user --map-auto cat /proc/self/uid_map |
            tail -n 1 | xargs
        cd "$OLDPWD"; mkdir -p build/x; echo writable'
    equal stderr "$err" ""
    equal stdout "${out//$'\n'/ }" \
        "student 1000 /home/student 9 box 1 100000 65535 writable"
}

# ---- who may start it, and from where --------------------------------------

ordinary_user_may_start_it()
{
    local as=()

    ((EUID)) || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    run "${as[@]}" "$vm" -- 'id -u; touch /etc/x /root/x; stat -c %u /etc/x
        stat -c %u:%a /usr/bin/newuidmap; exit 3'
    equal stderr "$err" ""
    equal stdout "${out//$'\n'/ }" "0 0 0:4755"
    equal status "$code" 3
}

clone_below_tmp_with_a_space_in_its_path()
{
    local clone="$scratch/a clone, with 'signs'"

    mkdir -p "$clone/build" "$clone/tests"
    cp -Rp tests/vm "$clone/tests/"
    ln -s "$PWD/build/vm" "$clone/build/vm"
    run "$clone/tests/vm/vm" -- 'pwd; echo x >new; cat new; ls'
    equal stderr "$err" ""
    equal stdout "${out//$'\n'/ }" "$clone x build new tests"
    [[ ! -e "$clone/new" ]] || fail "a file made inside is on the host"
}

shell_is_a_real_terminal()
{
    local seen='' c part

    exec 5> >(timeout 250 script -qfec "$vm" "$scratch/typed" >/dev/null)
    # each step: wait until the terminal shows PART, then type
    while read -r part c; do
        timeout 100 bash -c 'until grep -aqs "$1" "$2"; do sleep .1; done' \
            - "$part" "$scratch/typed" ||
            fail "the terminal lacks '$part': $(tail -c 300 "$scratch/typed")"
        printf '%b' "$c" >&5
    done <<'END'
lab:.*# tty; stty size; echo fi""rst; sleep 1000\r
^first \003
[\^]C echo code $?; exit 5\r
END
    exec 5>&-
    wait "$!"
    seen=$(tr -d '\r' <"$scratch/typed")
    contains "the terminal" "$seen" $'/dev/hvc0\n24 80\nfirst\n'
    contains "after Ctrl-C" "$seen" "code 130"
    contains "the end" "$seen" 'COMMAND_EXIT_CODE="5"'
}

# ---- ends ------------------------------------------------------------------

time_limit_ends_it()
{
    run env VM_TIMEOUT=60 "$vm" -- 'echo begun; exec sleep 1000'
    equal status "$code" 125
    equal stderr "$err" "vm: ended after 60 s (VM_TIMEOUT=60)"
}

terminated_script_leaves_nothing()
{
    start_lasting
    kill -TERM "$script"
    ended_clean
}

killed_script_leaves_nothing()
{
    start_lasting
    kill -KILL "$script"
    ended_clean
}

boot_failure_is_readable()
{
    run env VM_KERNEL=/dev/null "$vm" -- true
    equal status "$code" 125
    contains stderr "$err" "vm: the machine ended before the command did"
    contains stderr "${err%%$'\n'*}" "could not load kernel '/dev/null'"
    run env VM_APPEND=rdinit=/none "$vm" -- true
    equal status "$code" 125
    contains stderr "$err" "Kernel panic"
    ((${#err} && $(wc -l <"$scratch/err") <= 21)) || fail "too long: $err"
}

hanging_boot_is_ended()
{
    # the kernel stops before its first process, as it would on lost hardware
    run env VM_TIMEOUT=10 VM_APPEND='rootwait rdinit=/none root=/dev/none' \
        "$vm" -- true
    equal status "$code" 125
    contains stderr "$err" "did not boot within 10 s"
    contains "the log" "$err" "Waiting for root device"
}

usage_errors_take_one_line()
{
    local args

    for args in 'true' '-x' '-- a b' '--' ''; do
        # shellcheck disable=SC2086 # words on purpose
        run "$vm" $args </dev/null
        equal "status of '$args'" "$code" 125
        equal "lines of '$args'" "$(wc -l <"$scratch/err")" 1
    done
    for args in ACCEL=x VM_MEM=1 VM_MEM=99999999999G VM_TIMEOUT=-1; do
        run env "$args" "$vm" -- true
        equal "status of $args" "$code" 125
        contains "$args" "$err" "${args%=*}="
    done
    run "$vm" --help
    equal "status of --help" "$code" 0
    contains "help" "$out" "usage: tests/vm/vm"
}

missing_program_is_named()
{
    local name dir=$scratch/path

    for name in qemu-system-x86_64 busybox cpio; do
        rm -rf "$dir"
        mkdir "$dir"
        ln -s /usr/bin/* /bin/* "$dir" 2>/dev/null
        rm -f "$dir/$name"
        run env PATH="$dir" "$vm" -- true
        equal "status without $name" "$code" 125
        contains "stderr without $name" "$err" "$name is not installed (apt"
    done
}

# ----------------------------------------------------------------------------

# tests are the functions of this file whose names tell a fact: in order
mapfile -t tests < <(sed -n 's/^\([a-z0-9_]*_[a-z0-9_]*\)()$/\1/p' "$0" |
    grep -vxE 'start_lasting|ended_clean')
(($#)) && tests=("$@")

for test in "${tests[@]}"; do
    if why=$( ("$test" >&2) 3>&1); then
        printf 'ok %s\n' "$test"
    else
        printf 'FAIL %s: %s\n' "$test" "${why:-it ended with $?}"
        failed=1
    fi
done
exit "$failed"
