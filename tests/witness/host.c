/*
 * host.c - the outside of a test: a throwaway host.
 *
 * A wrong solution, run as root, may rename the host, mount over its /proc
 * or kill every process that it sees.  So what a suite calls "outside" is
 * itself a set of fresh namespaces.
 */
#include "internal.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

bool suite_throwaway;
bool suite_own_tmp;
const char *suite_blocked;
static bool own_shm;

uid_t calling_user(void)
{
    return suite_user;
}

bool outside_is_throwaway(void)
{
    return suite_throwaway;
}

static bool write_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd != -1 &&
                write(fd, content, strlen(content)) == (ssize_t)strlen(content);
    if (fd != -1)
        close(fd);
    return done;
}

/* An ordinary user becomes root of a user namespace: the only place where
 * they may make the other kinds. */
static bool become_root(void)
{
    char map[32];
    gid_t gid = getegid();

    if (unshare(CLONE_NEWUSER) == -1 ||
        !write_file("/proc/self/setgroups", "deny"))
        return false;
    snprintf(map, sizeof(map), "0 %u 1", suite_user);
    if (!write_file("/proc/self/uid_map", map))
        return false;
    snprintf(map, sizeof(map), "0 %u 1", gid);
    return write_file("/proc/self/gid_map", map);
}

static bool under(const char *path, const char *directory)
{
    char resolved[PATH_MAX];
    size_t length = strlen(directory);

    return realpath(path, resolved) &&
           strncmp(resolved, directory, length) == 0 &&
           (resolved[length] == '/' || resolved[length] == '\0');
}

/* A directory that nobody else writes to; not where the project stands. */
static bool own_directory(const char *path)
{
    return !under(".", path) && !under(suite_box[0], path) &&
           mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") ==
               0;
}

void host_publish(char *path, size_t size)
{
    static const char public[] = "/dev/shm/probe";
    struct stat st;

    if (!own_shm)
        return;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = open(public, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (from == -1 || to == -1 || fchmod(to, 0755) == -1 ||
        fstat(from, &st) == -1 ||
        sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size)
        err(USAGE_ERROR, "copy %s to %s", path, public);
    close(from);
    close(to);
    snprintf(path, size, "%s", public);
}

static void end_with_signal(int signal_number)
{
    _exit(128 + signal_number);
}

/*
 * Enters namespaces of our own.  The process that goes on is PID 1 of the
 * new PID namespace: whatever a test starts ends with it at the latest, even
 * when it is killed.  The process that was called waits for it, and hands
 * its exit status on.
 */
static void enter_throwaway_host(void)
{
    int status;

    if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                CLONE_NEWPID) == -1) {
        suite_blocked = "namespaces may not be made here";
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == -1)
        err(USAGE_ERROR, "fork");
    if (pid > 0) {
        signal(SIGINT, end_with_signal);
        signal(SIGTERM, end_with_signal);
        while (waitpid(pid, &status, 0) == -1)
            if (errno != EINTR)
                err(USAGE_ERROR, "waitpid");
        exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                 : WEXITSTATUS(status));
    }
    /* Before anything else, so that we never outlive the caller. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        err(USAGE_ERROR, "prctl");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              NULL) == -1) {
        suite_blocked = "/proc may not be mounted here (it is masked)";
        return;
    }
    if (sethostname("outside", strlen("outside")) == -1)
        err(USAGE_ERROR, "sethostname");
    own_shm = own_directory("/dev/shm");
    suite_own_tmp = own_shm && own_directory("/tmp");
    suite_throwaway = true;
}

void host_take_stand(enum witness_stand stand)
{
    suite_user = geteuid();
    if (suite_user != 0 && stand == AS_CALLER)
        return;
    if (suite_user != 0 && !become_root()) {
        suite_blocked = "an ordinary user may not make a user namespace here";
        return;
    }
    enter_throwaway_host();
}
