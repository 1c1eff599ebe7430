#!/bin/sh
# run.sh BUILD: minibox beside unshare(1), as ratios: the best of five
# medians of each.
#
#   bare   unshare with the same namespaces, one mount (/proc) and a chroot:
#          less than minibox does
#   whole  unshare that starts a shell script for the same set-up: private
#          mounts, the tree bound and pivoted to, /proc, /sys, a /dev of six
#          devices, pseudo-terminals, lo up
#
# minibox may take 1.5 times as long as "bare" (RATIO=... to change that);
# ends with 1 when it takes longer.
set -eu
build=$1
rootfs=$build/rootfs
limit=${RATIO:-1.5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# busybox has all these commands in one program, and starts them fast.
cat >"$work/set-up" <<'EOF'
set -e
root=$1
mount --make-rprivate /
mount --rbind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
    : >dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
ip link set lo up
hostname minibox
pivot_root . .
umount -l .
cd /
exec /bin/true
EOF
mkdir "$work/bin"
busybox --install -s "$work/bin"

namespaces='--user --map-root-user --mount --pid --fork --uts --ipc --net
    --cgroup'
# shellcheck disable=SC2086 # words on purpose
set -- $namespaces
{
    echo "minibox $build/minibox run $rootfs /bin/true"
    echo "bare unshare $* --mount-proc --root $rootfs /bin/true"
    echo "whole unshare $* env PATH=$work/bin sh $work/set-up $rootfs"
} >"$work/commands"

# In turns, so that what else the machine does meets all alike.
for round in 1 2 3 4 5; do
    while read -r name command; do
        hyperfine -N --warmup 5 --runs "${RUNS:-60}" --style none \
            --export-json "$work/result" "$command" >"$work/log" 2>&1 || {
            echo "bench: $name cannot run here (round $round):" >&2
            cat "$work/log" >&2
            exit 1
        }
        sed -n 's/.*"median": \([0-9.e-]*\),.*/'"$name"' \1/p' "$work/result"
    done <"$work/commands"
done >"$work/medians"

awk -v limit="$limit" '
    !($1 in median) || $2 < median[$1] { median[$1] = $2 }
    END {
        for (name in median)
            if (median[name] <= 0) exit 1
        printf "minibox run ROOTFS /bin/true     %5.2f ms\n", median["minibox"] * 1000
        printf "unshare, bare                    %5.2f ms  minibox: %.2f times\n",
            median["bare"] * 1000, median["minibox"] / median["bare"]
        printf "unshare, with the same set-up    %5.2f ms  minibox: %.2f times\n",
            median["whole"] * 1000, median["minibox"] / median["whole"]
        if (median["minibox"] > limit * median["bare"]) {
            printf "slower than %.1f times the bare one\n", limit
            exit 1
        }
    }' "$work/medians"
