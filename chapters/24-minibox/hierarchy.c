/*
 * hierarchy.c - where a control group can be made.  See hierarchy.h.
 */
#include "hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char delegate[] =
    "start it in a group of your own: systemd-run --user --scope -p "
    "Delegate=yes minibox ...";

/* ---- the files of a group --------------------------------------------- */

static int group_open(const char *directory, const char *name, int flags)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >=
        (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC);
}

int group_write(const char *directory, const char *name, const char *text)
{
    autoclose int fd = group_open(directory, name, O_WRONLY);

    return fd == -1 || write(fd, text, strlen(text)) == -1 ? -1 : 0;
}

long group_read(const char *directory, const char *name, char *text,
                unsigned long size)
{
    autoclose int fd = group_open(directory, name, O_RDONLY);
    long length = fd == -1 ? -1 : read(fd, text, size - 1);

    text[length > 0 ? length : 0] = '\0';
    return length;
}

/* ---- to find the caller's own group ----------------------------------- */

/* Is WORD one of LIST, which is separated by any of SEPARATORS? */
static bool listed(const char *list, const char *word, const char *separators)
{
    size_t length = strlen(word), part;

    for (; *list; list += part + (list[part] != '\0')) {
        part = strcspn(list, separators);
        if (part == length && strncmp(list, word, length) == 0)
            return true;
    }
    return false;
}

/* The caller's path in the hierarchy of CONTROLLER, as /proc/self/cgroup has
 * it: lines NUMBER:CONTROLLERS:PATH, the last of them "0::PATH" for version
 * 2.  Returns the version, or 0. */
static int own_path(const char *controller, char path[PATH_MAX])
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char *line = NULL;
    size_t size = 0;
    int version = 0;

    while (file && version != 1 && getline(&line, &size, file) != -1) {
        char *rest = line;
        (void)strsep(&rest, ":");
        const char *controllers = strsep(&rest, ":");
        if (!controllers || !rest)
            continue;
        rest[strcspn(rest, "\n")] = '\0';
        if (listed(controllers, controller, ","))
            version = 1;
        else if (version == 0 && *controllers == '\0')
            version = 2;
        else
            continue;
        snprintf(path, PATH_MAX, "%s", rest);
    }
    free(line);
    if (file)
        fclose(file);
    return version;
}

/* Fields of mountinfo that we need, proc(5). */
struct mounted {
    char *root, *point, *type, *options;
};

static bool parse_mount(char *line, struct mounted *mounted)
{
    char *tail = strstr(line, " - "), *rest = line;

    if (!tail)
        return false;
    *tail = '\0';
    tail += strlen(" - ");
    for (int field = 0; field < 3; field++)
        (void)strsep(&rest, " ");
    mounted->root = strsep(&rest, " ");
    mounted->point = strsep(&rest, " ");
    mounted->type = strsep(&tail, " ");
    (void)strsep(&tail, " ");
    mounted->options = strsep(&tail, "\n");
    return mounted->point && mounted->options;
}

/* Turns PATH of the hierarchy into a directory that we can open.  A mount
 * may show only the part from its ROOT down. */
static bool directory_of(const struct mounted *mounted, const char *path,
                         char directory[PATH_MAX])
{
    size_t length = strcmp(mounted->root, "/") == 0 ? 0 : strlen(mounted->root);

    if (strncmp(path, mounted->root, length) != 0 ||
        (path[length] != '/' && path[length] != '\0'))
        return false;
    path += length;
    return snprintf(directory, PATH_MAX, "%s%s", mounted->point,
                    strcmp(path, "/") == 0 ? "" : path) < PATH_MAX &&
           access(directory, F_OK) == 0;
}

int hierarchy_find(struct hierarchy *hierarchy, const char *controller,
                   struct error *error)
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = fopen("/proc/self/mountinfo", "re");

    hierarchy->leaf[0] = '\0';
    snprintf(hierarchy->wanted, sizeof(hierarchy->wanted), "+%s", controller);
    hierarchy->version = own_path(controller, path);
    while (file && hierarchy->version && !found &&
           getline(&line, &size, file) != -1) {
        struct mounted mounted;
        if (!parse_mount(line, &mounted))
            continue;
        bool right = hierarchy->version == 2
                         ? strcmp(mounted.type, "cgroup2") == 0
                         : strcmp(mounted.type, "cgroup") == 0 &&
                               listed(mounted.options, controller, ",");
        found = right && directory_of(&mounted, path, hierarchy->parent);
    }
    free(line);
    if (file)
        fclose(file);
    if (!found)
        return fail(error,
                    "no control group for %s can be seen here (mount cgroup2 "
                    "on /sys/fs/cgroup)",
                    controller);
    return 0;
}

/* ---- version 2: to have controllers handed on ------------------------- */

/* Does FILE of DIRECTORY list all of "+memory +pids"? */
static bool lists_all(const char *directory, const char *file,
                      const char *wanted)
{
    char list[512], words[64], *rest = words, *word;

    if (group_read(directory, file, list, sizeof(list)) == -1)
        return false;
    snprintf(words, sizeof(words), "%s", wanted);
    while ((word = strsep(&rest, " ")))
        if (!listed(list, word + 1, " \n"))
            return false;
    return true;
}

/* The nearest group that will do; false when there is none. */
static bool look_upwards(char parent[PATH_MAX], const char *wanted)
{
    char directory[PATH_MAX];

    snprintf(directory, sizeof(directory), "%s", parent);
    while (access(directory, W_OK) == 0) {
        char procs[PATH_MAX + 16];
        /* Moving between groups needs this file of a common ancestor. */
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", directory);
        if (access(procs, W_OK) == -1)
            return false;
        if (lists_all(directory, "cgroup.subtree_control", wanted)) {
            snprintf(parent, PATH_MAX, "%s", directory);
            return true;
        }
        *strrchr(directory, '/') = '\0';
    }
    return false;
}

static bool group_has(const char *directory, const char *name)
{
    autoclose int fd = group_open(directory, name, O_PATH);

    return fd != -1;
}

static bool alone_in(const char *directory)
{
    char procs[64];

    return group_read(directory, "cgroup.procs", procs, sizeof(procs)) > 0 &&
           atoi(procs) == getpid() && strchr(procs, '\n')[1] == '\0';
}

void hierarchy_also(struct hierarchy *hierarchy, const char *controller)
{
    size_t length = strlen(hierarchy->wanted);

    snprintf(hierarchy->wanted + length, sizeof(hierarchy->wanted) - length,
             " +%s", controller);
}

int hierarchy_restore(struct hierarchy *hierarchy, struct error *error)
{
    char off[sizeof(hierarchy->wanted)];

    if (!hierarchy->leaf[0])
        return 0;
    snprintf(off, sizeof(off), "%s", hierarchy->wanted);
    for (char *c = off; *c; c++)
        if (*c == '+')
            *c = '-';
    if (group_write(hierarchy->parent, "cgroup.subtree_control", off) == -1 ||
        group_write(hierarchy->parent, "cgroup.procs", "0") == -1 ||
        rmdir(hierarchy->leaf) == -1)
        return fail_call(error, NULL, "return from %s", hierarchy->leaf);
    hierarchy->leaf[0] = '\0';
    return 0;
}

/* We leave our own group for a leaf below it. */
static int step_aside(struct hierarchy *hierarchy, struct error *error)
{
    const char *wanted = hierarchy->wanted;
    struct error ignored;

    if (snprintf(hierarchy->leaf, sizeof(hierarchy->leaf),
                 "%s/minibox-supervisor-%d", hierarchy->parent,
                 getpid()) >= (int)sizeof(hierarchy->leaf))
        return fail(error, "%s: too long", hierarchy->parent);
    if (mkdir(hierarchy->leaf, 0755) == -1) {
        hierarchy->leaf[0] = '\0';
        return fail_call(error, delegate, "mkdir in %s", hierarchy->parent);
    }
    if (group_write(hierarchy->leaf, "cgroup.procs", "0") == -1 ||
        group_write(hierarchy->parent, "cgroup.subtree_control", wanted) ==
            -1) {
        fail_call(error, delegate, "write \"%s\" to %s/cgroup.subtree_control",
                  wanted, hierarchy->parent);
        (void)hierarchy_restore(hierarchy, &ignored);
        return -1;
    }
    return 0;
}

int hierarchy_enable(struct hierarchy *hierarchy, struct error *error)
{
    const char *wanted = hierarchy->wanted;

    if (look_upwards(hierarchy->parent, wanted))
        return 0;
    if (!lists_all(hierarchy->parent, "cgroup.controllers", wanted))
        return fail(error, "no limit can be set: %s has not all of %s (%s)",
                    hierarchy->parent, wanted, delegate);
    /* The root of the hierarchy, which has no type, may have processes and
     * hand on as well.  In any other group handing on pids would turn a
     * group with processes into a threaded one, which takes no child. */
    bool root = !group_has(hierarchy->parent, "cgroup.type");
    if (access(hierarchy->parent, W_OK) == -1 ||
        (root && group_write(hierarchy->parent, "cgroup.subtree_control",
                             wanted) == -1))
        return fail_call(error, delegate,
                         "write \"%s\" to %s/cgroup.subtree_control", wanted,
                         hierarchy->parent);
    if (root)
        return 0;
    if (!alone_in(hierarchy->parent))
        return fail(error,
                    "no limit can be set: other processes are in %s as well "
                    "(%s)",
                    hierarchy->parent, delegate);
    return step_aside(hierarchy, error);
}
