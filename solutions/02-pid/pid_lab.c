/*
 * pid_lab - tell the numbers that a process has.
 *
 *     pid_lab levels PID     its numbers, outermost first, in one line
 *     pid_lab find MEMBER N  who is number N in MEMBER's PID namespace?
 *
 * PID and MEMBER are numbers as seen from here, and so is the answer of
 * "find": the number here of the process that lives in the same PID
 * namespace as MEMBER, and is number N there.
 *
 * Status: 0; 1 when there is no such process; 125 on a usage error.
 *
 * Build   cc -Wall -Wextra -o pid_lab pid_lab.c
 * Read    proc(5): /proc/PID/status, /proc/PID/ns; namespaces(7)
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The first PID namespace has 32 levels below it, and no more. */
enum { MAX_LEVELS = 33 };

static const char USAGE[] =
    "usage: pid_lab levels PID | pid_lab find MEMBER N";

/*
 * Fills NUMBER with the numbers of process PID, outermost first, and
 * returns how many there are; -1 (with errno) if it cannot be read.
 *
 * They stand in /proc/PID/status, in the line that begins "NSpid:".
 */
static int read_numbers(pid_t pid, pid_t number[MAX_LEVELS])
{
#ifndef STUB
    char path[64], line[1024];
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    if (!status)
        return -1;
    while (fgets(line, sizeof(line), status)) {
        /* Only at the beginning of a line: a process may have the
         * name "NSpid:", and that is in the same file. */
        if (strncmp(line, "NSpid:", 6) != 0)
            continue;
        char *rest = line + 6, *end;
        for (; count < MAX_LEVELS; rest = end) {
            long value = strtol(rest, &end, 10);
            if (end == rest)
                break;
            number[count++] = (pid_t)value;
        }
        break;
    }
    fclose(status);
    if (count > 0)
        return count;
    errno = ESRCH; /* it ended while we read */
    return -1;
#else
    /* TODO: open /proc/PID/status, find the line, read its columns. */
    (void)pid;
    (void)number;
    errno = ENOSYS;
    return -1;
#endif
}

/*
 * Fills NS with what stat(2) says of the PID namespace in which process
 * PID lives; returns -1 (with errno) if that cannot be read.
 *
 * Two namespaces are one when st_dev and st_ino are equal.
 */
static int read_namespace(pid_t pid, struct stat *ns)
{
#ifndef STUB
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    return stat(path, ns);
#else
    /* TODO: which of the links in /proc/PID/ns is it? */
    (void)pid;
    (void)ns;
    errno = ENOSYS;
    return -1;
#endif
}

/*
 * Does process CANDIDATE live in NS, and is it number N there?  What
 * cannot be read, be it another user's or gone since, is not the one.
 */
static bool is_the_one(pid_t candidate, const struct stat *ns, pid_t n)
{
#ifndef STUB
    pid_t number[MAX_LEVELS];
    struct stat its;

    if (read_namespace(candidate, &its) == -1 ||
        its.st_dev != ns->st_dev || its.st_ino != ns->st_ino)
        return false;
    int count = read_numbers(candidate, number);
    return count > 0 && number[count - 1] == n;
#else
    /* TODO: compare its namespace, then the right number. */
    (void)candidate;
    (void)ns;
    (void)n;
    return false;
#endif
}

/* ---- from here on nothing is to be changed ----------------------- */

/* The number in a word, or the end of the program. */
static pid_t parse(const char *word)
{
    char *end;

    errno = 0;
    long value = strtol(word, &end, 10);
    if (*word < '0' || *word > '9' || *end || errno || value < 1 ||
        value > 4194304) /* the kernel's PID_MAX_LIMIT */
        errx(125, "\"%s\" is not the number of a process", word);
    return (pid_t)value;
}

static int print_levels(pid_t pid)
{
    pid_t number[MAX_LEVELS];
    int count = read_numbers(pid, number);

    if (count == -1)
        err(1, "process %d", pid);
    for (int i = 0; i < count; i++)
        printf("%s%d", i > 0 ? " " : "", number[i]);
    printf("\n");
    return 0;
}

/* Looks at each process that is in /proc while we read it. */
static int find(pid_t member, pid_t n)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct stat ns;

    if (!proc)
        err(1, "open /proc");
    if (read_namespace(member, &ns) == -1)
        err(1, "the PID namespace of process %d", member);
    while ((entry = readdir(proc))) {
        pid_t candidate = (pid_t)atoi(entry->d_name);
        if (candidate > 0 && is_the_one(candidate, &ns, n)) {
            printf("%d\n", candidate);
            closedir(proc);
            return 0;
        }
    }
    closedir(proc);
    errx(1, "in the namespace of process %d nobody is %d", member, n);
}

int main(int argc, char *argv[])
{
    int status = 125;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        status = puts(USAGE) == EOF ? 125 : 0;
    else if (argc == 3 && strcmp(argv[1], "levels") == 0)
        status = print_levels(parse(argv[2]));
    else if (argc == 4 && strcmp(argv[1], "find") == 0)
        status = find(parse(argv[2]), parse(argv[3]));
    else
        errx(125, "%s", USAGE);
    if (fflush(stdout) == EOF)
        err(125, "write");
    return status;
}
