#!/bin/sh
# rootfs.sh DIR [PROBE]: make a small root filesystem in DIR, of one busybox.
#
# An ordinary user can run it: nothing is mounted, and no device is made.
# DIR appears whole or not at all: it is made beside its place and moved.
set -eu
if [ $# -lt 1 ]; then
    echo 'usage: rootfs.sh DIR [PROBE]' >&2
    exit 125
fi
dir=$1
probe=${2-}
busybox=$(command -v busybox) || {
    echo 'rootfs: there is no busybox (apt-get install busybox-static)' >&2
    exit 125
}
umask 022
mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Root inside is not root outside: others must be able to look in.
chmod 755 "$new"
for name in bin dev etc home proc root run sbin sys tmp usr/bin usr/sbin \
    var; do
    mkdir -p "$new/$name"
done
chmod 1777 "$new/tmp"

cp "$busybox" "$new/bin/busybox"
# One that wants a dynamic linker would not find it in there.
if ldd "$busybox" 2>/dev/null | grep -q '=>'; then
    echo "rootfs: $busybox is linked dynamically" \
        '(apt-get install busybox-static)' >&2
    exit 125
fi
"$busybox" --list-full | while read -r applet; do
    [ -e "$new/$applet" ] || [ ! -d "$new/$(dirname "$applet")" ] ||
        ln -s /bin/busybox "$new/$applet"
done
[ -z "$probe" ] || cp "$probe" "$new/probe"

cat >"$new/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
EOF
cat >"$new/etc/group" <<'EOF'
root:x:0:
nogroup:x:65534:
EOF
echo minibox >"$new/etc/hostname"
printf '127.0.0.1 localhost minibox\n::1 localhost\n' >"$new/etc/hosts"

rm -rf "$dir"
mv "$new" "$dir"
trap - EXIT
