/*
 * mount.c - mounts by descriptor.  See mount.h.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel gives a new /proc or /sys only to who sees all of the old. */
static const char *remedy(const char *type)
{
    if (errno == EPERM &&
        (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0))
        return "an outer container covers parts of its own: start that one "
               "with its /proc unmasked";
    return NULL;
}

int mount_new(const char *type, unsigned attributes,
              const char *const options[], struct error *error)
{
    autoclose int fs = fsopen(type, FSOPEN_CLOEXEC);

    if (fs == -1)
        return fail_call(error, remedy(type), "fsopen(%s)", type);
    /* Only a name, for those who read the list of mounts. */
    if (fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0) == -1)
        return fail_call(error, NULL, "fsconfig(%s, source)", type);
    for (; *options; options += 2)
        if (fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0) == -1)
            return fail_call(error, NULL, "fsconfig(%s, %s=%s)", type,
                             options[0], options[1]);
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == -1)
        return fail_call(error, remedy(type), "fsconfig(%s)", type);
    int mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
    if (mount == -1)
        return fail_call(error, remedy(type), "fsmount(%s)", type);
    return mount;
}

int mount_point(int directory, const char *name, struct error *error)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));

    if (fd != -1)
        return fd;
    if (errno == ELOOP)
        return fail(error,
                    "/%s of the root filesystem is a symbolic link: refused "
                    "(make it an empty directory)",
                    name);
    if (errno == ENOENT)
        return fail(error,
                    "/%s is missing in the root filesystem, and cannot be "
                    "made there (make it an empty directory)",
                    name);
    return fail_call(error,
                     errno == EACCES ? "root inside is not root outside: let "
                                       "others search the root filesystem, "
                                       "chmod 755"
                                     : NULL,
                     "openat2(%s), a place for a mount", name);
}

int mount_at(int mount, int directory, const char *name, struct error *error)
{
    autoclose int point = mount_point(directory, name, error);

    if (point == -1)
        return -1;
    if (move_mount(mount, "", point, "",
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == -1)
        return fail_call(error,
                         errno == EINVAL ? "make it an empty directory" : NULL,
                         "move_mount(%s), to its place", name);
    return 0;
}
