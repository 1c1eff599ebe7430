/*
 * container.c - the story of one container.
 *
 *        supervisor                         child
 *
 *    1   prepare: root filesystem,
 *        groups, channel
 *    2   clone: namespaces ------------->   3  name: host name, loopback
 *    4   place: groups, ID maps
 *        SYNC_PLACED ------------------->   5  become root inside
 *                                           6  prepare to be init
 *                                           7  enter: cgroup namespace,
 *                                              root filesystem
 *                                           8  start the command
 *        SYNC_ENDED  <------------------       ... which runs
 *    9   supervise: pass signals on        10  init: reap, pass signals on;
 *                                              end with the command
 *   11   clean up: groups
 *
 * An error in the child comes as SYNC_FAILED.  When either side dies, the
 * other ends: the supervisor hears it, the child is killed by the kernel.
 *
 * Modules: each may use those below it, never one beside or above.
 *
 *     main  cmd_run  options  config
 *     container
 *     ns  idmap  sync  init  cgroup - hierarchy  rootfs - dev - mount
 *     err
 */
#include "container.h"
#include "cgroup.h"
#include "idmap.h"
#include "init.h"
#include "ns.h"
#include "rootfs.h"
#include "sync.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the supervisor holds. */
struct supervisor {
    struct cgroup groups;
    struct sync sync;
    struct ns_child child;
    sigset_t mask; /* the caller's, for the command */
    int signals;   /* a signalfd */
};

/* ---- the child -------------------------------------------------------- */

static int set_up_child(const struct config *config, int end,
                        struct error *error)
{
    umask(022);
    if (ns_hostname(config->hostname, error) == -1 || /* 3 */
        ns_loopback(error) == -1)
        return -1;
    int step = sync_hear(end, error);
    if (step != SYNC_PLACED)
        return step == -1 ? -1 : fail(error, "the supervisor is gone");
    if (idmap_become_root(error) == -1 || /* 5 */
        init_prepare(end, error) == -1)   /* 6 */
        return -1;
    /* Had the supervisor died just before, no signal would come. */
    if (sync_alone(end))
        return fail(error, "the supervisor is gone");
    if (ns_cgroup(error) == -1 || rootfs_enter(error) == -1) /* 7 */
        return -1;
    return 0;
}

/* Both processes end here: PID 1, and the command when it cannot run. */
static _Noreturn void give_up(int end, const struct error *error)
{
    sync_fail(end, error);
    _exit(error->status);
}

static _Noreturn void child(const struct config *config, const sigset_t *mask,
                            int end)
{
    struct error error;

    if (set_up_child(config, end, &error) == -1)
        give_up(end, &error);
    pid_t command = fork(); /* 8 */
    if (command == -1) {
        fail_call(&error, errno == EAGAIN ? "a limit on processes" : NULL,
                  "fork of the command");
        give_up(end, &error);
    }
    if (command == 0) {
        init_exec(config, mask, &error);
        give_up(end, &error);
    }
    /* Now only the command holds the channel, until it runs. */
    close_descriptor(&end);
    _exit(init_run(command)); /* 10 */
}

/* ---- the supervisor --------------------------------------------------- */

/* Signals wait in a descriptor from now on: none is lost, and none ends us
 * before the container is gone. */
static int take_signals(struct supervisor *self, struct error *error)
{
    sigset_t all, wanted;

    sigfillset(&all);
    init_signals(&wanted);
    /* A caller that ignores SIGCHLD would have our child vanish. */
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
        sigprocmask(SIG_SETMASK, &all, &self->mask) == -1)
        return fail_call(error, NULL, "sigprocmask");
    self->signals = signalfd(-1, &wanted, SFD_CLOEXEC);
    if (self->signals == -1)
        return fail_call(error, NULL, "signalfd");
    return 0;
}

static int place(const struct supervisor *self, struct error *error)
{
    if (cgroup_place(&self->groups, self->child.pid, self->child.grouped,
                     error) == -1 ||
        idmap_write(self->child.pid, error) == -1 ||
        sync_tell(self->sync.supervisor, SYNC_PLACED, error) == -1)
        return -1;
    return 0;
}

static void pass_signal_on(const struct supervisor *self)
{
    struct signalfd_siginfo info;

    if (read(self->signals, &info, sizeof(info)) != sizeof(info) ||
        info.ssi_signo == SIGCHLD)
        return;
    /* It may have ended already; then its status says all. */
    (void)pidfd_send_signal(self->child.pidfd, (int)info.ssi_signo, NULL, 0);
    if (info.ssi_signo == SIGTSTP)
        (void)raise(SIGSTOP);
}

/* Waits for the child's end; a message about why it failed comes first. */
static int supervise(struct supervisor *self, struct error *error)
{
    int result = 0;
    struct pollfd ready[] = {
        {.fd = self->signals,         .events = POLLIN},
        {.fd = self->sync.supervisor, .events = POLLIN},
        {.fd = self->child.pidfd,     .events = POLLIN},
    };

    while (!ready[2].revents) {
        if (poll(ready, 3, -1) == -1 && errno != EINTR)
            return fail_call(error, NULL, "poll");
        if (ready[0].revents)
            pass_signal_on(self);
        if (ready[1].revents) {
            int step = sync_hear(self->sync.supervisor, error);
            result = step == -1 ? -1 : result;
            /* Nothing comes after either; poll(2) skips a negative one. */
            ready[1].fd = -1;
        }
    }
    return result;
}

static int wait_status(const struct supervisor *self, int *status,
                       struct error *error)
{
    siginfo_t info;

    while (waitid(P_PIDFD, (id_t)self->child.pidfd, &info, WEXITED) == -1)
        if (errno != EINTR)
            return fail_call(error, NULL, "waitid");
    *status =
        info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return 0;
}

/* From the clone to the child's end. */
static int live(struct supervisor *self, const struct config *config,
                int *status, struct error *error)
{
    struct error reason, ignored;
    int result = ns_clone(&self->child, self->groups.enter, error); /* 2 */

    if (result == 1) {
        sync_keep(&self->sync, &self->sync.child);
        child(config, &self->mask, self->sync.child);
    }
    if (result == -1)
        return -1;
    sync_keep(&self->sync, &self->sync.supervisor);
    result = place(self, error); /* 4 */
    if (result == 0)
        result = supervise(self, error); /* 9 */
    if (result == -1)
        (void)pidfd_send_signal(self->child.pidfd, SIGKILL, NULL, 0);
    /* When the child failed first, it knows better why. */
    if (result == -1 && sync_hear(self->sync.supervisor, &reason) == -1)
        *error = reason;
    if (wait_status(self, status, result == -1 ? &ignored : error) == -1)
        result = -1;
    close_descriptor(&self->child.pidfd);
    return result;
}

/* The kernel killed for want of memory: the status alone does not say why. */
static void tell_out_of_memory(const struct supervisor *self,
                               const struct config *config, struct error *error)
{
    static const char units[] = "\0KMGT";
    uint64_t size = config->memory;
    int unit = 0;

    if (cgroup_oom_kills(&self->groups) == 0)
        return;
    for (; size % 1024 == 0 && unit < 4; size /= 1024)
        unit++;
    fail(error, "out of memory (limit %" PRIu64 "%.1s)", size, units + unit);
}

int container_run(const struct config *config, int *status, struct error *error)
{
    struct supervisor self = {.signals = -1};
    struct error ignored;

    if (take_signals(&self, error) == -1 || /* 1 */
        rootfs_prepare(config->rootfs, error) == -1 ||
        cgroup_create(&self.groups, config, error) == -1)
        return -1;
    int result = sync_open(&self.sync, error);
    if (result == 0) {
        result = live(&self, config, status, error);
        sync_keep(&self.sync, NULL);
    }
    if (result == 0)
        tell_out_of_memory(&self, config, error);
    bool quiet = result == -1 || error->text[0];
    if (cgroup_remove(&self.groups, quiet ? &ignored : error) == -1) /* 11 */
        result = -1;
    close_descriptor(&self.signals);
    return result;
}
