/*
 * hands.c - start boxes around the probe, and talk to it.
 *
 * The probe's stdin and stdout are one socket pair.  Our end asks for
 * SO_PASSCRED: with each message the kernel tells the sender's PID, already
 * translated into our PID namespace (unix(7)).  So we learn the PID that
 * the probe has outside, whatever it believes inside.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGV = 64, MAX_LINE = 8192 };

struct probe {
    pid_t box;  /* the process that we started */
    pid_t pid;  /* the probe, as the kernel translated it */
    int socket; /* our end */
    int err;    /* a memfd: the box's stderr */
    int status; /* once waited for */
    bool ended;
    size_t used; /* bytes in line[] that were read too far */
    char line[MAX_LINE];
};

static uid_t next_uid = (uid_t)-1;
static gid_t next_gid = (gid_t)-1;
static const char *path_inside;

const char *const *box_words(void)
{
    return suite_box;
}

const char *probe_path(void)
{
    return suite_probe;
}

const char *tests_directory(void)
{
    return suite_directory;
}

void set_probe_path_inside(const char *path)
{
    path_inside = path;
}

void start_next_as(uid_t uid, gid_t gid)
{
    next_uid = uid;
    next_gid = gid;
}

/* ---- to start a command --------------------------------------------------- */

/* In the child: become the user that the test asked for. */
static void change_user(void)
{
    if (next_uid == (uid_t)-1)
        return;
    if (setgroups(0, NULL) == -1 ||
        setresgid(next_gid, next_gid, next_gid) == -1 ||
        setresuid(next_uid, next_uid, next_uid) == -1) {
        perror("setresuid");
        _exit(125);
    }
}

/* Starts argv with these three descriptors; the child ends with us. */
static pid_t spawn_command(const char *const argv[], int in, int out, int err)
{
    pid_t self = getpid(), pid;

    fflush(NULL);
    pid = fork();
    if (pid == -1)
        fail_errno("fork");
    if (pid > 0) {
        next_uid = (uid_t)-1;
        return pid;
    }
    change_user();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != self)
        _exit(125);
    if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(err, 2) == -1)
        _exit(125);
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd == -1)
        fail_errno("memfd_create");
    return fd;
}

static int wait_status(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            fail_errno("waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t add_words(const char *argv[], size_t used,
                        const char *const words[])
{
    for (; *words; words++) {
        if (used == MAX_ARGV - 3)
            fail_text("a command of more than %d words", MAX_ARGV);
        argv[used++] = *words;
    }
    return used;
}

/* ---- probes -------------------------------------------------------------- */

/* Receives what is there, and who sent it: 0 at the end of file. */
static size_t receive(struct probe *probe, char *buffer, size_t size)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct pollfd ready = {.fd = probe->socket, .events = POLLIN};
    int64_t left = left_ns();

    if (left <= 0 || poll(&ready, 1, (int)(left / 1000000) + 1) == 0)
        fail_text("no answer from the probe within %u s; the box's "
                  "stderr: %s",
                  suite_bound, probe_stderr(probe));
    ssize_t got = recvmsg(probe->socket, &message, MSG_CMSG_CLOEXEC);
    if (got == -1 && errno != ECONNRESET)
        fail_errno("recvmsg");
    if (got <= 0)
        return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_CREDENTIALS) {
        struct ucred sender;
        memcpy(&sender, CMSG_DATA(header), sizeof(sender));
        probe->pid = sender.pid;
    }
    return (size_t)got;
}

const char *hear(struct probe *probe)
{
    for (;;) {
        char *newline = memchr(probe->line, '\n', probe->used);
        if (newline) {
            size_t length = (size_t)(newline - probe->line);
            const char *line = text("%.*s", (int)length, probe->line);
            probe->used -= length + 1;
            memmove(probe->line, newline + 1, probe->used);
            return line;
        }
        if (probe->used == sizeof(probe->line))
            fail_text("the probe's answer is too long");
        size_t got = receive(probe, probe->line + probe->used,
                             sizeof(probe->line) - probe->used);
        if (got == 0)
            return NULL;
        probe->used += got;
    }
}

static void vtell(struct probe *probe, const char *format, va_list args)
{
    const char *line = text("%s\n", vtext(format, args));

    /* A probe that is gone shows in hear(), not as SIGPIPE here. */
    if (send(probe->socket, line, strlen(line), MSG_NOSIGNAL) == -1 &&
        errno != EPIPE && errno != ECONNRESET)
        fail_errno("send");
}

void tell(struct probe *probe, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vtell(probe, format, args);
    va_end(args);
}

static const char *vask(struct probe *probe, const char *format, va_list args)
{
    vtell(probe, format, args);
    const char *line = hear(probe);
    if (!line)
        fail_text("the probe is gone; its box ended with %d and wrote: %s",
                  probe_wait(probe), probe_stderr(probe));
    return line;
}

const char *ask(struct probe *probe, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *line = vask(probe, format, args);
    va_end(args);
    return line;
}

long ask_number(struct probe *probe, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *line = vask(probe, format, args);
    va_end(args);
    long value;
    if (sscanf(line, "ok %ld", &value) != 1)
        fail_text("the probe was asked for a number and answered: %s", line);
    return value;
}

struct probe *probe_start(const char *const argv[])
{
    struct probe *probe = calloc(1, sizeof(*probe));
    int pair[2], on = 1;

    if (!probe ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
        fail_errno("socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == -1)
        fail_errno("setsockopt SO_PASSCRED");
    probe->socket = pair[0];
    probe->err = memory_file("box-stderr");
    probe->box = spawn_command(argv, pair[1], pair[1], probe->err);
    close(pair[1]);

    const char *greeting = hear(probe);
    if (!greeting)
        fail_text("%s did not start the probe: it ended with %d and "
                  "wrote: %s",
                  argv[0], probe_wait(probe), probe_stderr(probe));
    if (strcmp(greeting, "ready") != 0)
        fail_text("%s wrote on the command's stdout: %s", argv[0], greeting);
    return probe;
}

struct probe *probe_outside(void)
{
    return probe_start((const char *const[]){probe_path(), NULL});
}

struct probe *probe_in_box(const char *const options[])
{
    const char *argv[MAX_ARGV];
    size_t used = add_words(argv, 0, suite_box);

    used = add_words(argv, used, options);
    argv[used++] = "--";
    argv[used++] = path_inside ? path_inside : probe_path();
    argv[used] = NULL;
    return probe_start(argv);
}

struct probe *probe_nested(unsigned depth)
{
    const char *argv[MAX_ARGV];
    size_t used = 0;

    while (depth-- > 0) {
        used = add_words(argv, used, suite_box);
        argv[used++] = "--";
    }
    argv[used++] = probe_path();
    argv[used] = NULL;
    return probe_start(argv);
}

pid_t probe_pid(const struct probe *probe)
{
    return probe->pid;
}

pid_t probe_box_pid(const struct probe *probe)
{
    return probe->box;
}

int probe_wait(struct probe *probe)
{
    if (!probe->ended)
        probe->status = wait_status(probe->box);
    probe->ended = true;
    return probe->status;
}

int probe_end(struct probe *probe)
{
    shutdown(probe->socket, SHUT_WR);
    return probe_wait(probe);
}

const char *probe_stderr(const struct probe *probe)
{
    return fd_text(probe->err);
}

/* ---- whole runs ------------------------------------------------------------ */

struct outcome run_command(const char *const argv[])
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = memory_file("stdout"), err = memory_file("stderr");

    if (in == -1)
        fail_errno("open /dev/null");
    struct outcome outcome = {
        .status = wait_status(spawn_command(argv, in, out, err)),
        .out = fd_text(out),
        .err = fd_text(err),
    };
    close(in);
    close(out);
    close(err);
    return outcome;
}

struct outcome box_run_words(const char *const words[])
{
    const char *argv[MAX_ARGV];
    size_t used = add_words(argv, 0, suite_box);

    used = add_words(argv, used, words);
    argv[used] = NULL;
    return run_command(argv);
}
