/*
 * mount.h - mounts by descriptor: made first, put in place second.
 *
 * The root filesystem is hostile: what is called /proc in it may be a link
 * to /etc, or become one while we look.  A path given to mount(2) would be
 * followed.  Here a mount is made without any place (fsmount(2),
 * open_tree(2)), its place is opened without following a link (openat2(2)),
 * and move_mount(2) joins the two descriptors.
 *
 * fsopen(2), fsmount(2), open_tree(2), move_mount(2), openat2(2)
 */
#ifndef MOUNT_H
#define MOUNT_H

#include "err.h"

/* A new, empty file system with MOUNT_ATTR_* attributes.  OPTIONS are pairs
 * of key and value, NULL at the end.  Returns a descriptor, or -1. */
int mount_new(const char *type, unsigned attributes,
              const char *const options[], struct error *error);

/* A place for a mount: one name in DIRECTORY.  Returns a descriptor. */
int mount_point(int directory, const char *name, struct error *error);

/* Puts MOUNT there. */
int mount_at(int mount, int directory, const char *name, struct error *error);

#endif
