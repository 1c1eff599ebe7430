/*
 * census.c - count what could be left behind.  See census.h.
 */
#include "census.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A growing list of lines. */
struct lines {
    char **line;
    size_t count, size;
};

/* nftw(3) hands no argument on: the list that it fills. */
static struct lines *walked;

__attribute__((format(printf, 2, 3))) static void add(struct lines *lines,
                                                      const char *format, ...)
{
    va_list args;

    if (lines->count == lines->size) {
        lines->size = lines->size ? 2 * lines->size : 64;
        lines->line = realloc(lines->line, lines->size * sizeof(char *));
        if (!lines->line)
            abort();
    }
    va_start(args, format);
    if (vasprintf(&lines->line[lines->count++], format, args) == -1)
        abort();
    va_end(args);
}

/* Adds each line of a file, from line FIRST on. */
static void add_file(struct lines *lines, const char *kind, const char *path,
                     int first)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;

    if (!file)
        return;
    for (int number = 0; getline(&line, &size, file) != -1; number++) {
        line[strcspn(line, "\n")] = '\0';
        if (number >= first)
            add(lines, "%s %s", kind, line);
    }
    free(line);
    fclose(file);
}

static void add_processes(struct lines *lines, pid_t parent)
{
    char path[64], name[32] = "?";
    int pid;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
    FILE *children = fopen(path, "re");
    if (!children)
        return;
    while (fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        FILE *comm = fopen(path, "re");
        if (comm) {
            if (fgets(name, sizeof(name), comm))
                name[strcspn(name, "\n")] = '\0';
            fclose(comm);
        }
        add(lines, "process %d %s", pid, name);
        add_processes(lines, pid);
    }
    fclose(children);
}

static bool systemd_names(const char *path)
{
    static const char *const ends[] = {".slice", ".scope",  ".service",
                                       ".mount", ".socket", ".swap"};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
        if (strcmp(dot, ends[i]) == 0)
            return true;
    return false;
}

/* The names in a directory; fds are read by their targets. */
static void add_names(struct lines *lines, const char *kind, const char *path)
{
    char target[256];
    struct dirent *entry;
    DIR *directory = opendir(path);

    if (!directory)
        return;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.' &&
            (!entry->d_name[1] || strcmp(entry->d_name, "..") == 0))
            continue;
        if (strcmp(kind, "fd") != 0) {
            /* A group is a directory; its files are the kernel's. */
            if (strcmp(kind, "cgroup") != 0 ||
                (entry->d_type == DT_DIR && !systemd_names(entry->d_name)))
                add(lines, "%s %s/%s", kind, path, entry->d_name);
            continue;
        }
        ssize_t length =
            readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));
        if (atoi(entry->d_name) != dirfd(directory))
            add(lines, "fd %s %.*s", entry->d_name,
                length > 0 ? (int)length : 0, target);
    }
    closedir(directory);
}

static int add_group(const char *path, const struct stat *st, int type,
                     struct FTW *where)
{
    (void)st;
    (void)where;
    if (type == FTW_D && !systemd_names(path))
        add(walked, "cgroup %s", path);
    return 0;
}

/* Our own group in the hierarchy that is mounted there; false when we are
 * in none.  A line of /proc/self/cgroup: NUMBER:CONTROLLERS:PATH, without
 * controllers for version 2 (cgroups(7)). */
static bool own_group(const struct mntent *mount, char *path, size_t size)
{
    bool version2 = strcmp(mount->mnt_type, "cgroup2") == 0, found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    char *line = NULL;
    size_t room = 0;

    while (file && !found && getline(&line, &room, file) != -1) {
        char *rest = line, *controllers;
        line[strcspn(line, "\n")] = '\0';
        (void)strsep(&rest, ":");
        controllers = strsep(&rest, ":");
        if (!rest || (*controllers == '\0') != version2)
            continue;
        controllers[strcspn(controllers, ",")] = '\0';
        found = version2 || hasmntopt(mount, controllers);
        snprintf(path, size, "%s%s", mount->mnt_dir,
                 strcmp(rest, "/") == 0 ? "" : rest);
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

/* The groups of others come and go: we count those at the top, and those
 * under our own. */
static void add_groups(struct lines *lines)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent *entry;
    char path[PATH_MAX];

    if (!mounts)
        return;
    walked = lines;
    while ((entry = getmntent(mounts))) {
        if (strncmp(entry->mnt_type, "cgroup", 6) != 0)
            continue;
        add_names(lines, "cgroup", entry->mnt_dir);
        if (own_group(entry, path, sizeof(path)))
            nftw(path, add_group, 16, FTW_PHYS | FTW_MOUNT);
    }
    endmntent(mounts);
}

static void add_links(struct lines *lines)
{
    struct if_nameindex *links = if_nameindex();

    for (struct if_nameindex *link = links; link && link->if_index; link++)
        add(lines, "link %s", link->if_name);
    if (links)
        if_freenameindex(links);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All lines as one text; the list is freed. */
static char *join(struct lines *lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        abort();
    for (size_t i = 0; i < lines->count; i++) {
        fprintf(out, "%s\n", lines->line[i]);
        free(lines->line[i]);
    }
    free(lines->line);
    fclose(out);
    return text;
}

char *census_take(bool temporary)
{
    struct lines lines = {0};

    add_processes(&lines, getpid());
    add_file(&lines, "mount", "/proc/self/mountinfo", 0);
    add_groups(&lines);
    add_links(&lines);
    add_names(&lines, "fd", "/proc/self/fd");
    if (temporary) {
        add_names(&lines, "file", "/tmp");
        add_names(&lines, "file", "/dev/shm");
    }
    qsort(lines.line, lines.count, sizeof(char *), by_text);
    return join(&lines);
}

/* Is LINE (of LENGTH) one of TEXT's lines? */
static bool has_line(const char *text, const char *line, size_t length)
{
    while (*text) {
        size_t this = strcspn(text, "\n");
        if (this == length && memcmp(text, line, length) == 0)
            return true;
        text += this + 1;
    }
    return false;
}

static void missing_from(FILE *out, char sign, const char *text,
                         const char *other)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (!has_line(other, text, length))
            fprintf(out, "%c %.*s\n", sign, (int)length, text);
        text += length + 1;
    }
}

char *census_difference(const char *before, const char *after)
{
    char *text = NULL;
    size_t size = 0;

    if (strcmp(before, after) == 0)
        return NULL;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    missing_from(out, '+', after, before);
    missing_from(out, '-', before, after);
    fclose(out);
    return text;
}
