/*
 * cgroup.c - limits, by control groups.  See cgroup.h.
 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MEMORY, PIDS, CONTROLLERS };
enum { PATIENCE_MS = 1000, MOST_NAMES = 100 };

static const char *const controllers[CONTROLLERS] = {"memory", "pids"};

/*
 * What to write where, in this order: version 1 wants memory and swap
 * together never below memory alone.  A kernel may be built without what is
 * optional; then there is no swap to limit.
 */
static const struct knob {
    int version, controller;
    const char *file, *value; /* NULL: the limit itself */
    bool optional;
} knobs[] = {
    {1, MEMORY, "memory.limit_in_bytes",       NULL, false},
    {1, MEMORY, "memory.memsw.limit_in_bytes", NULL, true },
    {1, MEMORY, "memory.swappiness",           "0",  true },
    {2, MEMORY, "memory.max",                  NULL, false},
    {2, MEMORY, "memory.swap.max",             "0",  true },
    {1, PIDS,   "pids.max",                    NULL, false},
    {2, PIDS,   "pids.max",                    NULL, false},
};

static uint64_t limit(const struct config *config, int controller)
{
    return controller == MEMORY ? config->memory : config->pids;
}

/* ---- removal ---------------------------------------------------------- */

static int remove_group(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st;
    (void)where;
    /* The files of a group go with it. */
    return type == FTW_DP ? rmdir(path) : 0;
}

/* Removes a group and those that the container made below it. */
static int remove_tree(const char *path)
{
    return nftw(path, remove_group, 8, FTW_DEPTH | FTW_PHYS);
}

/* Waits for an event of the group: version 2 has one for "no process left".
 * Version 1 has none, there we look again after a millisecond. */
static void wait_a_little(const struct group *group)
{
    char path[PATH_MAX + 16], events[128];

    snprintf(path, sizeof(path), "%s/cgroup.events", group->path);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct pollfd change = {.fd = fd, .events = POLLPRI};
    /* The read arms the event. */
    if (fd != -1 && read(fd, events, sizeof(events)) == -1)
        return;
    (void)poll(&change, 1, 1);
}

/* With the container's init all its processes are gone; but the kernel may
 * take a moment to forget the last one's group. */
static int remove_patiently(const struct group *group, struct error *error)
{
    for (int left = PATIENCE_MS; remove_tree(group->path) == -1; left--) {
        if (errno == ENOENT)
            return 0;
        if (errno != EBUSY || left == 0)
            return fail_call(error, NULL, "rmdir(%s)", group->path);
        wait_a_little(group);
    }
    return 0;
}

int cgroup_remove(struct cgroup *cgroup, struct error *error)
{
    int result = 0;

    close_descriptor(&cgroup->enter);
    cgroup->enter = -1;
    for (; cgroup->count > 0; cgroup->count--) {
        struct group *group = &cgroup->group[cgroup->count - 1];
        if ((group->path[0] && remove_patiently(group, error) == -1) ||
            hierarchy_restore(&group->hierarchy, error) == -1)
            result = -1;
        close_descriptor(&group->lock);
    }
    return result;
}

/* Removes what a killed minibox has left: groups that nobody has locked. */
static void collect_garbage(const char *parent)
{
    DIR *directory = opendir(parent);
    struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        char path[PATH_MAX];
        if (strncmp(entry->d_name, "minibox-", strlen("minibox-")) != 0 ||
            snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) >=
                (int)sizeof(path))
            continue;
        autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            (void)remove_tree(path);
    }
    if (directory)
        closedir(directory);
}

/* ---- creation --------------------------------------------------------- */

/* Makes a directory of a new name, and locks it.  A PID is not unique: in
 * another PID namespace there may be a minibox of the same number. */
static int make_group(struct group *group, struct error *error)
{
    const char *parent = group->hierarchy.parent;

    for (int n = 0; n < MOST_NAMES; n++) {
        int length = snprintf(group->path, sizeof(group->path),
                              n ? "%s/minibox-%d-%d" : "%s/minibox-%d", parent,
                              getpid(), n);
        if (length >= (int)sizeof(group->path) - NAME_MAX)
            errno = ENAMETOOLONG;
        else if (mkdir(group->path, 0755) == 0) {
            group->lock = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            /* Unless it was taken for garbage before we held the lock. */
            if (group->lock != -1 && flock(group->lock, LOCK_EX) == 0 &&
                access(group->path, F_OK) == 0)
                return 0;
            close_descriptor(&group->lock);
            group->lock = -1;
        } else if (errno == EEXIST)
            continue;
        group->path[0] = '\0';
        if (errno != ENOENT)
            break;
    }
    return fail_call(error,
                     group->hierarchy.version == 1 && errno == EACCES
                         ? "control groups of version 1 are root's: run as "
                           "root, or without limits"
                         : NULL,
                     "mkdir and flock of a control group in %s", parent);
}

static int set_limits(const struct group *group, const struct config *config,
                      struct error *error)
{
    for (size_t i = 0; i < COUNT(knobs); i++) {
        const struct knob *knob = &knobs[i];
        char value[24];
        if (knob->version != group->hierarchy.version ||
            !(group->controllers & 1u << knob->controller))
            continue;
        snprintf(value, sizeof(value), "%" PRIu64,
                 limit(config, knob->controller));
        if (group_write(group->path, knob->file,
                        knob->value ? knob->value : value) == -1 &&
            !(knob->optional && errno == ENOENT))
            return fail_call(error, NULL, "write to %s/%s", group->path,
                             knob->file);
    }
    return 0;
}

/* The inner group of version 2, where the container begins. */
static int make_box(struct cgroup *cgroup, const struct group *group,
                    struct error *error)
{
    char box[PATH_MAX + 8];

    snprintf(box, sizeof(box), "%s/box", group->path);
    if (mkdir(box, 0755) == -1)
        return fail_call(error, NULL, "mkdir(%s)", box);
    cgroup->enter = open(box, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup->enter == -1)
        return fail_call(error, NULL, "open(%s)", box);
    return 0;
}

/* One group for each hierarchy that has a controller with a limit. */
static int find_groups(struct cgroup *cgroup, const struct config *config,
                       struct error *error)
{
    for (int c = 0; c < CONTROLLERS; c++) {
        if (limit(config, c) == 0)
            continue;
        struct group *group = &cgroup->group[cgroup->count];
        *group = (struct group){.controllers = 1u << c, .lock = -1};
        if (hierarchy_find(&group->hierarchy, controllers[c], error) == -1)
            return -1;
        /* All that version 2 has is one hierarchy. */
        if (cgroup->count > 0 && group->hierarchy.version == 2 &&
            group[-1].hierarchy.version == 2) {
            group[-1].controllers |= group->controllers;
            hierarchy_also(&group[-1].hierarchy, controllers[c]);
        } else {
            cgroup->count++;
        }
    }
    return 0;
}

static int create(struct cgroup *cgroup, const struct config *config,
                  struct error *error)
{
    if (find_groups(cgroup, config, error) == -1)
        return -1;
    for (int i = 0; i < cgroup->count; i++) {
        struct group *group = &cgroup->group[i];
        bool unified = group->hierarchy.version == 2;
        if (unified && hierarchy_enable(&group->hierarchy, error) == -1)
            return -1;
        collect_garbage(group->hierarchy.parent);
        if (make_group(group, error) == -1 ||
            set_limits(group, config, error) == -1 ||
            (unified && make_box(cgroup, group, error) == -1))
            return -1;
    }
    return 0;
}

int cgroup_create(struct cgroup *cgroup, const struct config *config,
                  struct error *error)
{
    struct error ignored;

    cgroup->count = 0;
    cgroup->enter = -1;
    if (create(cgroup, config, error) == 0)
        return 0;
    (void)cgroup_remove(cgroup, &ignored);
    return -1;
}

/* ---- use -------------------------------------------------------------- */

int cgroup_place(const struct cgroup *cgroup, pid_t pid, bool entered,
                 struct error *error)
{
    char number[16];

    snprintf(number, sizeof(number), "%d", pid);
    for (int i = 0; i < cgroup->count; i++) {
        const struct group *group = &cgroup->group[i];
        bool unified = group->hierarchy.version == 2;
        if (unified && entered)
            continue;
        if (group_write(group->path,
                        unified ? "box/cgroup.procs" : "cgroup.procs",
                        number) == -1)
            return fail_call(error, NULL, "write %s to %s/cgroup.procs", number,
                             group->path);
    }
    return 0;
}

unsigned long cgroup_oom_kills(const struct cgroup *cgroup)
{
    char events[256];
    const char *line = NULL;

    for (int i = 0; i < cgroup->count && !line; i++) {
        const struct group *group = &cgroup->group[i];
        if (group->controllers & 1u << MEMORY &&
            group_read(group->path,
                       group->hierarchy.version == 2 ? "memory.events"
                                                     : "memory.oom_control",
                       events, sizeof(events)) > 0)
            line = strstr(events, "\noom_kill ");
    }
    return line ? strtoul(line + strlen("\noom_kill "), NULL, 10) : 0;
}
