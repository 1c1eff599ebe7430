/*
 * dev.h - a /dev in memory, with little in it.
 *
 * null zero full random urandom tty   the host's, bound one by one: root of
 *                                     a user namespace can make no device
 * pts, ptmx                           pseudo-terminals of its own
 * shm, mqueue                         empty; gone with the container
 * fd stdin stdout stderr              links into /proc/self/fd
 *
 * null(4), random(4), pts(4), shm_overview(7), mq_overview(7)
 */
#ifndef DEV_H
#define DEV_H

#include "err.h"

/* Mounts it at "dev" in ROOT, while the host's /dev is still there. */
int dev_mount(int root, struct error *error);

#endif
