/*
 * rootfs.c - the container's tree of files.  See rootfs.h.
 */
#include "rootfs.h"
#include "dev.h"
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STRICT = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

static const char *const no_options[] = {NULL};

int rootfs_prepare(const char *path, struct error *error)
{
    static const char *const places[] = {"proc", "dev", "sys"};

    if (chdir(path) == -1)
        return fail_call(error, NULL, "chdir(%s), the root filesystem", path);
    /* What must not be made here may not be needed: that shows later. */
    for (int i = 0; i < 3; i++)
        if (mkdir(places[i], 0755) == -1 && errno != EEXIST &&
            errno != EACCES && errno != EPERM && errno != EROFS)
            return fail_call(error, NULL, "mkdir(%s) in the root filesystem",
                             places[i]);
    return 0;
}

/* Mounts the working directory once more, and goes there: pivot_root(2)
 * wants the root of a mount.  Returns a descriptor of it. */
static int mount_rootfs(struct error *error)
{
    struct mount_attr private = {.propagation = MS_PRIVATE};
    struct mount_attr tame = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

    /* First, and for all: else what we mount shows on the host. */
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) ==
        -1)
        return fail_call(error,
                         errno == ENOSYS ? "needs Linux 5.12 or later" : NULL,
                         "mount_setattr(/), to make all mounts private");
    int tree = open_tree(AT_FDCWD, ".",
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree == -1)
        return fail_call(error, NULL, "open_tree of the root filesystem");
    /* A device file there would be as good as the host's own. */
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &tame,
                      sizeof(tame)) == -1 ||
        move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) == -1 ||
        fchdir(tree) == -1) {
        fail_call(error, NULL, "mount of the root filesystem");
        close(tree);
        return -1;
    }
    return tree;
}

static int mount_proc(int root, struct error *error)
{
    autoclose int proc = mount_new("proc", STRICT, no_options, error);

    return proc == -1 ? -1 : mount_at(proc, root, "proc", error);
}

/* Not everywhere allowed, and nothing needs it. */
static int mount_sys(int root, struct error *error)
{
    autoclose int sys =
        mount_new("sysfs", STRICT | MOUNT_ATTR_RDONLY, no_options, error);

    if (sys == -1)
        return errno == EPERM ? 0 : -1;
    if (faccessat(root, "sys", F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
        errno == ENOENT)
        return 0;
    return mount_at(sys, root, "sys", error);
}

int rootfs_enter(struct error *error)
{
    autoclose int root = mount_rootfs(error);

    if (root == -1 || mount_proc(root, error) == -1 ||
        mount_sys(root, error) == -1 || dev_mount(root, error) == -1)
        return -1;
    /* The old root goes on top of the new one, and is taken off: no
     * directory is needed to put it, pivot_root(2). */
    if (syscall(SYS_pivot_root, ".", ".") == -1)
        return fail_call(error,
                         errno == EINVAL ? "not possible where / itself is "
                                           "an initramfs"
                                         : NULL,
                         "pivot_root");
    if (umount2(".", MNT_DETACH) == -1)
        return fail_call(error, NULL, "umount2 of the host's tree");
    if (chdir("/") == -1)
        return fail_call(error, NULL, "chdir(/)");
    return 0;
}
