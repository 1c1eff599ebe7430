#!/bin/sh
# setup.sh GROUP...: see that what a group needs is installed.
#
# As root it installs what is missing; with a sudo that can, it uses that;
# otherwise it prints the one command to type, and exits 1.
set -eu

# group, package, and a file or a command that shows it is there
needs='
build gcc               gcc
build libc6-dev         /usr/include/stdio.h
build libcmocka-dev     /usr/include/cmocka.h
build busybox-static    busybox
build unifdef           unifdef
build patch             patch
build uidmap            newuidmap
build util-linux        unshare
build procps            ps
build libcap2-bin       capsh
book  pandoc            pandoc
book  graphviz          dot
book  python3           python3
vm    qemu-system-x86   qemu-system-x86_64
vm    busybox-static    busybox
vm    cpio              cpio
vm    xz-utils          xz
lint  clang-format      clang-format
lint  clang-tidy        clang-tidy
lint  cppcheck          cppcheck
lint  shellcheck        shellcheck
lint  codespell         codespell
lint  pmccabe           pmccabe
lint  clang             clang
bench hyperfine         hyperfine
'

# Some live where an ordinary user's PATH does not look.
sbin=${SBIN-/usr/sbin:/sbin}

present() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *) PATH=$PATH:$sbin command -v "$1" >/dev/null ;;
    esac
}

# The packages of these groups that are not there.
missing() {
    for group in "$@"; do
        echo "$needs" | while read -r of package shown_by; do
            if [ "$of" = "$group" ] && ! present "$shown_by"; then
                echo "$package"
            fi
        done
    done | sort -u | tr '\n' ' '
}

install_with() {
    echo "installing: $packages"
    # A stale list of packages is the usual cause of a failure: renew, retry.
    # shellcheck disable=SC2086 # words on purpose
    if ! "$@" apt-get install -y --no-install-recommends $packages >"$log" 2>&1
    then
        "$@" apt-get update >"$log" 2>&1 &&
            "$@" apt-get install -y --no-install-recommends $packages \
                >>"$log" 2>&1
    fi
}

packages=$(missing "$@")
[ -n "$packages" ] || exit 0

command="apt-get install -y --no-install-recommends ${packages% }"
if ! command -v apt-get >/dev/null; then
    echo "setup: this needs Debian's packages (or your system's): $packages" >&2
    exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if [ "$(id -u)" -eq 0 ]; then
    install_with env || { tail -5 "$log" >&2; exit 1; }
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null ||
    { [ -t 0 ] && sudo -v; }; }; then
    install_with sudo || { tail -5 "$log" >&2; exit 1; }
else
    echo "setup: some packages are missing; type this once, as root:" >&2
    echo "    $command" >&2
    exit 1
fi

still=$(missing "$@")
[ -z "$still" ] || { echo "setup: still missing: $still" >&2; exit 1; }
