/*
 * dev.c - a /dev in memory.  See dev.h.
 */
#include "dev.h"
#include "mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    NO_PROGRAMS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
    STRICT = NO_PROGRAMS | MOUNT_ATTR_NODEV
};

/* devices(7) numbers: what is called null must be null. */
static const struct {
    const char *name, *path;
    unsigned major, minor;
} devices[] = {
    {"null",    "/dev/null",    1, 3},
    {"zero",    "/dev/zero",    1, 5},
    {"full",    "/dev/full",    1, 7},
    {"random",  "/dev/random",  1, 8},
    {"urandom", "/dev/urandom", 1, 9},
    {"tty",     "/dev/tty",     5, 0},
};

static const struct {
    const char *name, *target;
} links[] = {
    {"fd",     "/proc/self/fd"  },
    {"stdin",  "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
    {"ptmx",   "pts/ptmx"       },
};

/* File systems of the container's own, each on a directory of /dev. */
static const struct {
    const char *name, *type;
    unsigned attributes;
    const char *options[5];
} mounts[] = {
  /* Every mount of devpts is an instance of its own: its terminals have
     * nothing to do with the host's.  Its devices must work. */
    {"pts",    "devpts", NO_PROGRAMS, {"mode", "620", "ptmxmode", "666"}},
    {"shm",    "tmpfs",  STRICT,      {"mode", "1777"}                  },
    {"mqueue", "mqueue", STRICT,      {NULL}                            },
};

static int bind_device(int dev, size_t i, struct error *error)
{
    struct stat st;
    const char *path = devices[i].path;
    autoclose int device =
        open_tree(AT_FDCWD, path,
                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

    if (device == -1)
        return fail_call(error, NULL, "open_tree(%s)", path);
    if (fstat(device, &st) == -1)
        return fail_call(error, NULL, "fstat(%s)", path);
    if (!S_ISCHR(st.st_mode) ||
        st.st_rdev != makedev(devices[i].major, devices[i].minor))
        return fail(error, "%s is not the device %u:%u", path, devices[i].major,
                    devices[i].minor);
    /* A file is mounted on a file. */
    if (mknodat(dev, devices[i].name, S_IFREG | 0644, 0) == -1)
        return fail_call(error, NULL, "mknod(/dev/%s)", devices[i].name);
    return mount_at(device, dev, devices[i].name, error);
}

static int mount_on_directory(int dev, size_t i, struct error *error)
{
    if (mkdirat(dev, mounts[i].name, 0755) == -1)
        return fail_call(error, NULL, "mkdir(/dev/%s)", mounts[i].name);
    autoclose int mount = mount_new(mounts[i].type, mounts[i].attributes,
                                    mounts[i].options, error);
    return mount == -1 ? -1 : mount_at(mount, dev, mounts[i].name, error);
}

int dev_mount(int root, struct error *error)
{
    static const char *const options[] = {"mode", "755", "size", "64k", NULL};
    autoclose int dev = mount_new("tmpfs", NO_PROGRAMS, options, error);

    if (dev == -1 || mount_at(dev, root, "dev", error) == -1)
        return -1;
    for (size_t i = 0; i < COUNT(devices); i++)
        if (bind_device(dev, i, error) == -1)
            return -1;
    for (size_t i = 0; i < COUNT(mounts); i++)
        if (mount_on_directory(dev, i, error) == -1)
            return -1;
    for (size_t i = 0; i < COUNT(links); i++)
        if (symlinkat(links[i].target, dev, links[i].name) == -1)
            return fail_call(error, NULL, "symlink(/dev/%s)", links[i].name);
    return 0;
}
