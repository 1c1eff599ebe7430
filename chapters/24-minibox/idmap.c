/*
 * idmap.c - who is root inside.  See idmap.h.
 */
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGEST = 65536, DEFAULT_FIRST = 100000, UIDS = 0, GIDS = 1 };

static const struct {
    const char *file, *ranges, *helper;
} kinds[] = {
    [UIDS] = {"uid_map", "/etc/subuid", "newuidmap"},
    [GIDS] = {"gid_map", "/etc/subgid", "newgidmap"},
};

/* COUNT IDs outside, from FIRST on. */
struct range {
    unsigned long first, count;
};

/* The user's name in /etc/passwd.  Not getpwuid(3): that may ask a server,
 * and cannot in a program that is linked statically. */
static bool is_own_name(const char *word)
{
    uid_t uid = geteuid();
    bool found = strtoul(word, NULL, 10) == uid && *word >= '0' && *word <= '9';
    FILE *file = found ? NULL : fopen("/etc/passwd", "re");
    struct passwd space = {0}, *entry;
    char strings[1024];

    while (file && !found &&
           fgetpwent_r(file, &space, strings, sizeof(strings), &entry) == 0)
        found = entry->pw_uid == uid && strcmp(entry->pw_name, word) == 0;
    if (file)
        fclose(file);
    return found;
}

/* The caller's first range in a file of subuid(5): lines NAME:FIRST:COUNT. */
static bool delegated(const char *path, struct range *range)
{
    FILE *file = fopen(path, "re");
    char line[256], name[128];
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "%127[^:]:%lu:%lu", name, &range->first,
                       &range->count) == 3 &&
                is_own_name(name);
    if (file)
        fclose(file);
    if (range->count > LARGEST)
        range->count = LARGEST;
    return found && range->count > 0;
}

/* Do we have these IDs ourselves?  In a user namespace only a part of the
 * machine's exists.  A line of the map: INSIDE OUTSIDE COUNT. */
static bool within_own_map(int kind, const struct range *range)
{
    char path[64];
    unsigned long inside, count;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/%s", kinds[kind].file);
    FILE *file = fopen(path, "re");
    while (file && !found && fscanf(file, "%lu %*u %lu", &inside, &count) == 2)
        found = range->first >= inside &&
                range->first + range->count <= inside + count;
    if (file)
        fclose(file);
    return found;
}

static int write_file(pid_t pid, const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || write(fd, text, strlen(text)) == -1)
        return -1;
    return 0;
}

/* The map is written once and as a whole: user_namespaces(7). */
static int write_map(pid_t pid, int kind, const struct range *range,
                     struct error *error)
{
    char map[64];

    snprintf(map, sizeof(map), "0 %lu %lu", range->first, range->count);
    if (write_file(pid, kinds[kind].file, map) == -1)
        return fail_call(error,
                         errno == EPERM ? "AppArmor may restrict user "
                                          "namespaces: as root, sysctl "
                                          "kernel.apparmor_restrict_"
                                          "unprivileged_userns=0"
                                        : NULL,
                         "write \"%s\" to the %s of the container", map,
                         kinds[kind].file);
    return 0;
}

/* The caller's own ID as 0, and nothing else. */
static int write_own(pid_t pid, int kind, struct error *error)
{
    struct range own = {.first = kind == UIDS ? geteuid() : getegid(),
                        .count = 1};

    /* Who may drop groups may open what a group is denied, CVE-2014-8989:
     * so the kernel wants setgroups(2) off before a user's gid_map. */
    if (kind == GIDS && write_file(pid, "setgroups", "deny") == -1)
        return fail_call(error, NULL, "write \"deny\" to setgroups");
    return write_map(pid, kind, &own, error);
}

static int write_as_root(pid_t pid, int kind, struct error *error)
{
    struct range range = {0};

    if (!delegated(kinds[kind].ranges, &range))
        range = (struct range){DEFAULT_FIRST, LARGEST};
    return within_own_map(kind, &range) ? write_map(pid, kind, &range, error)
                                        : write_own(pid, kind, error);
}

/* A setuid program may map what /etc/subuid grants.  Returns its PID, or -1
 * when there is nothing to ask for or nobody to ask. */
static pid_t start_helper(pid_t pid, int kind)
{
    extern char **environ;
    struct range range = {0};
    char words[4][24];
    pid_t helper;
    posix_spawn_file_actions_t quiet;

    if (!delegated(kinds[kind].ranges, &range) ||
        posix_spawn_file_actions_init(&quiet) != 0)
        return -1;
    snprintf(words[0], sizeof(words[0]), "%d", pid);
    snprintf(words[1], sizeof(words[1]), "%u",
             kind == UIDS ? geteuid() : getegid());
    snprintf(words[2], sizeof(words[2]), "%lu", range.first);
    snprintf(words[3], sizeof(words[3]), "%lu", range.count);
    char *argv[] = {(char *)kinds[kind].helper,
                    words[0],
                    "0",
                    words[1],
                    "1",
                    "1",
                    words[2],
                    words[3],
                    NULL};
    if (posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0) !=
            0 ||
        posix_spawnp(&helper, argv[0], &quiet, NULL, argv, environ) != 0)
        helper = -1;
    posix_spawn_file_actions_destroy(&quiet);
    return helper;
}

static bool helped(pid_t helper)
{
    int status;

    if (helper == -1)
        return false;
    while (waitpid(helper, &status, 0) == -1)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int write_as_user(pid_t pid, struct error *error)
{
    /* Both at once: each needs a millisecond. */
    pid_t helper[] = {start_helper(pid, UIDS), start_helper(pid, GIDS)};
    bool done[] = {helped(helper[UIDS]), helped(helper[GIDS])};

    for (int kind = UIDS; kind <= GIDS; kind++)
        if (!done[kind] && write_own(pid, kind, error) == -1)
            return -1;
    return 0;
}

int idmap_write(pid_t pid, struct error *error)
{
    if (geteuid() != 0)
        return write_as_user(pid, error);
    for (int kind = UIDS; kind <= GIDS; kind++)
        if (write_as_root(pid, kind, error) == -1)
            return -1;
    return 0;
}

int idmap_become_root(struct error *error)
{
    /* Denied where the map has one group: then the caller's other groups
     * stay, unmapped.  IDs must be set while capabilities last, so the
     * user comes last: credentials(7). */
    if (setgroups(0, NULL) == -1 && errno != EPERM)
        return fail_call(error, NULL, "setgroups, to drop all groups");
    if (setresgid(0, 0, 0) == -1 || setresuid(0, 0, 0) == -1)
        return fail_call(error, NULL, "setresuid(0), to be root inside");
    return 0;
}
