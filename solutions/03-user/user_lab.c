/*
 * user_lab - run a command as root of a user namespace.
 *
 * You write  the three functions that have a TODO: the parent's maps,
 *            its sign to go on, and the child's wait for it.  The task
 *            is told in labs/03-user/README.md.
 * Build      cc -Wall -Wextra -o user_lab user_lab.c
 * Run        ./user_lab -- id
 *            ./user_lab --uid 7 --gid 9 -- id
 * Read       user_namespaces(7), pipe(7), clone(2)
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 125 };

/* The ids that the caller is to have inside. */
struct ids {
    unsigned uid, gid;
};

/* Writes TEXT to /proc/PID/FILE in one write(2), or gives up. */
static void write_file(pid_t pid, const char *file, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || write(fd, text, strlen(text)) == -1)
        err(FAILED, "write \"%s\" to %s", text, path);
    close(fd);
}

/*
 * The parent's part: in the user namespace of PID, maps the caller's
 * user id to INSIDE.uid, its group id to INSIDE.gid, nothing else.
 */
static void write_maps(pid_t pid, struct ids inside)
{
#ifndef STUB
    char line[40];

    snprintf(line, sizeof(line), "%u %u 1", inside.uid, geteuid());
    write_file(pid, "uid_map", line);
    /* An ordinary user may not map a group before this is given up. */
    write_file(pid, "setgroups", "deny");
    snprintf(line, sizeof(line), "%u %u 1", inside.gid, getegid());
    write_file(pid, "gid_map", line);
#else
    /* TODO: three files of /proc/PID, by write_file().  The order of
     * two of them matters. */
    (void)write_file;
    (void)pid;
    (void)inside;
#endif
}

/* The parent's part: lets the child, which waits at GATE, go on. */
static void open_gate(int gate[2])
{
#ifndef STUB
    if (write(gate[1], "", 1) != 1)
        err(FAILED, "write to the gate");
#else
    /* TODO: one byte. */
    (void)gate;
#endif
}

/*
 * The child's part: returns when the maps are written.  When the parent
 * has died before, they never will be: then it ends the process with
 * _exit(FAILED).
 */
static void wait_at_gate(int gate[2])
{
#ifndef STUB
    char byte;

    /* As long as anybody holds the writing end open, even we, read(2)
     * does not see the end of the file. */
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1)
        _exit(FAILED);
#else
    /* TODO: read(2) waits, on two conditions.  Which? */
    (void)gate;
#endif
}

/* fork(2), but the child is in a new user namespace. */
static pid_t fork_into_new_user(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    if (pid == -1)
        err(FAILED, "clone(CLONE_NEWUSER) (see what preflight says)");
    return (pid_t)pid;
}

/* The command, in the child. */
static int run(char *command[])
{
    execvp(command[0], command);
    int status = errno == ENOENT ? 127 : 126;
    warn("exec %s", command[0]);
    return status;
}

/* Waits for PID and says what a shell would: 128+N after a signal. */
static int exit_status(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) == -1)
        err(FAILED, "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

static unsigned number(const char *word)
{
    char *end;
    unsigned long long value = strtoull(word, &end, 10);

    if (strspn(word, "0123456789") == 0 || *end || value > 4294967294)
        errx(FAILED, "%s: not an id", word);
    return (unsigned)value;
}

static struct ids read_options(int argc, char *argv[])
{
    static const struct option known[] = {
        {"uid", 1, 0, 'u'},
        {"gid",    1, 0, 'g'},
        {"help",     0, 0, 'h'},
        {0}
    };
    struct ids inside = {0};
    int option;

    while ((option = getopt_long(argc, argv, "+", known, 0)) != -1)
        if (option == 'u') {
            inside.uid = number(optarg);
        } else if (option == 'g') {
            inside.gid = number(optarg);
        } else if (option == 'h') {
            puts("usage: user_lab [--uid ID] [--gid ID] [--] "
                 "COMMAND...");
            exit(0);
        } else {
            exit(FAILED); /* getopt has said why */
        }
    if (!argv[optind])
        errx(FAILED, "a COMMAND is missing (see --help)");
    return inside;
}

int main(int argc, char *argv[])
{
    struct ids inside = read_options(argc, argv);
    int gate[2];

    signal(SIGCHLD, SIG_DFL);
    if (pipe2(gate, O_CLOEXEC) == -1)
        err(FAILED, "pipe2");
    pid_t pid = fork_into_new_user();
    if (pid == 0) {
        wait_at_gate(gate);
        _exit(run(argv + optind));
    }
    write_maps(pid, inside);
    open_gate(gate);
    return exit_status(pid);
}
