/*
 * tree.h - for minibox's suites: a root filesystem of the test's own.
 */
#ifndef TREE_H
#define TREE_H

#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ends the test unless what it needs could be done. */
static void must(bool done, const char *what)
{
    if (!done)
        fail_msg("%s: %s", what, strerror(errno));
}

static void copy_program(const char *from, const char *to)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    must(in != -1 && out != -1 && fstat(in, &st) == 0 && fchmod(out, 0755) == 0,
         from);
    while (sendfile(out, in, NULL, (size_t)st.st_size) > 0)
        ;
    must(lseek(out, 0, SEEK_CUR) == st.st_size && close(out) == 0, to);
    close(in);
}

static void make_directory(const char *path, mode_t mode)
{
    must(mkdir(path, mode) == 0 && chmod(path, mode) == 0, path);
}

/* A tree with the probe and an open /tmp in it, and nothing else. */
static const char *bare_tree(const char *name)
{
    const char *tree = text("%s/%s", scratch(), name);

    make_directory(tree, 0755);
    make_directory(text("%s/tmp", tree), 01777);
    copy_program(probe_path(), text("%s/probe", tree));
    set_probe_path_inside("/probe");
    return tree;
}

/* The same with places for mounts and a shell. */
static const char *tree_with_shell(const char *name)
{
    static const char *const places[] = {"proc", "sys", "dev", "bin"};
    const char *tree = bare_tree(name);

    for (int i = 0; i < 4; i++)
        make_directory(text("%s/%s", tree, places[i]), 0755);
    /* build/rootfs stands beside build/tests. */
    copy_program(text("%s/../rootfs/bin/busybox", tests_directory()),
                 text("%s/bin/busybox", tree));
    must(symlink("busybox", text("%s/bin/sh", tree)) == 0, tree);
    return tree;
}

#endif
