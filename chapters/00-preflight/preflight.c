/*
 * preflight - what does this machine allow?
 *
 * You learn: a feature is there when using it works, not when a file
 * or a version says so. Between a program and the kernel stand layers
 * (a sysctl, a seccomp filter, a security module, a masked /proc). The
 * call that fails, and its errno, tell which of them said no.
 *
 * Build:  cc -Wall -Wextra -o preflight preflight.c
 * Run:    ./preflight            for people
 *         ./preflight --json     for programs
 *
 * You should see a line for each feature: yes, no, or partly (the
 * course has a way round it), and below it each layer that blocks it,
 * with the remedy. Exit status: 0; 1 when there is a "no"; 125 when
 * preflight itself failed.
 *
 * Each probe does the thing in a child, which the kernel ends after
 * two seconds. What it makes goes with its namespaces; its control
 * group it removes, even when preflight has been killed meanwhile.
 *
 * See namespaces(7), user_namespaces(7), cgroups(7), seccomp(2),
 * unshare(2), mount(2), pivot_root(2), rtnetlink(7), newuidmap(1).
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BOUND_SECONDS = 2, PREFLIGHT_FAILED = 125 };
enum answer { YES, NO, PARTLY };

struct finding {
    enum answer answer;
    const char *step; /* the call that failed */
    int error;        /* its errno */
};

struct shared {
    struct finding finding;
    char group[PATH_MAX]; /* a control group that has to go */
};

/* Written by a probe's process, read by ours: the memory is shared. */
static struct shared *shared;

static bool privileged; /* may we make namespaces directly? */

/* ---- to do, and to tell what failed ---------------------------- */

static int must(const char *step, int result)
{
    if (result != -1)
        return result;
    shared->finding.error = errno;
    shared->finding.step = step;
    _exit(NO);
}

static void must_be(const char *step, bool fact, int error)
{
    errno = error;
    must(step, fact ? 0 : -1);
}

static void must_write(const char *step, const char *path,
                       const char *words)
{
    int fd = must(step, open(path, O_WRONLY | O_CLOEXEC));

    must(step, (int)write(fd, words, strlen(words)));
    close(fd);
}

/* A group is busy until its last process is gone for good; version 1
 * has no event for that. */
static void remove_group(void)
{
    for (int i = 0; i < 1000 && rmdir(shared->group) == -1; i++)
        if (errno != EBUSY || poll(NULL, 0, 1) == -1)
            return;
}

/* Returns in a child, which cannot outlive us. We clear up behind it,
 * and end as it ended. */
static void go_on_in_child(void)
{
    int status;
    pid_t pid = must("fork", fork());

    if (pid == 0) {
        must("prctl", prctl(PR_SET_PDEATHSIG, SIGKILL));
        return;
    }
    must("waitpid", waitpid(pid, &status, 0));
    remove_group();
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : NO);
}

/* ---- namespaces ------------------------------------------------ */

/*
 * A seccomp filter sees only the registers, and answers before the
 * kernel looks. So ask for nonsense, flags with a bit that is none:
 * the kernel says EINVAL, and who says EPERM is not the kernel.
 */
static void must_unshare(const char *step, int flags)
{
    if (unshare(flags) == 0)
        return;
    int error = errno;
    if (unshare(flags | 1) == -1 && errno != EINVAL)
        step = "unshare(filtered)";
    must_be(step, false, error);
}

static void try_user(int flags)
{
    must_unshare("unshare(CLONE_NEWUSER)", flags);
}

/* unshare can succeed and be of no use: we are nobody until the maps
 * are written, and a security module may refuse just that. */
static void try_map(int flags)
{
    char uid_map[32], gid_map[32];

    snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
    snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
    try_user(flags);
    must_write("write(uid_map)", "/proc/self/uid_map", uid_map);
    must_write("write(setgroups)", "/proc/self/setgroups", "deny");
    must_write("write(gid_map)", "/proc/self/gid_map", gid_map);
}

/* The other kinds are for root: whoever is not becomes root of a user
 * namespace first. This is the probe of these kinds, too. */
static void enter(int flags)
{
    if (!privileged)
        try_map(CLONE_NEWUSER);
    must_unshare("unshare(CLONE_NEW...)", flags);
    /* Only children are in the new PID namespace. */
    if (flags & CLONE_NEWPID)
        go_on_in_child();
    /* Where / is shared, our mounts would travel out again. */
    if (flags & CLONE_NEWNS)
        must("mount(private)",
             mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

/* Finds the range of ids that a file such as /etc/subuid grants us. */
static bool find_range(const char *path, char *first, char *count)
{
    /* cppcheck-suppress getpwuidCalled ; there is one thread */
    struct passwd *me = getpwuid(geteuid());
    char line[256], owner[64];
    bool found = false;
    FILE *file = fopen(path, "re");

    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "%63[^:]:%15[0-9]:%15[0-9]", owner, first,
                       count) == 3 &&
                ((me && strcmp(owner, me->pw_name) == 0) ||
                 strtoul(owner, NULL, 10) == geteuid());
    if (file)
        fclose(file);
    return found;
}

/* For 'u'ids or 'g'ids. Root writes any map. Others need newuidmap(1):
 * it is set-uid root and hands out what /etc/subuid grants. */
static void try_range(int kind)
{
    unsigned own = kind == 'u' ? geteuid() : getegid();
    char path[64], first[16], count[16], target[16], id[16];
    int status;
    pid_t pid = must("fork", fork());

    if (pid == 0) {
        must("prctl", prctl(PR_SET_PDEATHSIG, SIGKILL));
        try_user(CLONE_NEWUSER);
        raise(SIGSTOP); /* that is: "I am there, write my map" */
    }
    must("waitpid", waitpid(pid, &status, WUNTRACED));
    if (!WIFSTOPPED(status))
        _exit(NO);
    snprintf(path, sizeof(path), "/proc/%d/%cid_map", pid, kind);
    if (privileged) {
        must_write("write(range)", path, "0 100000 65536");
        return;
    }
    snprintf(path, sizeof(path), "/etc/sub%cid", kind);
    must_be("find(range)", find_range(path, first, count), ENOENT);
    snprintf(path, sizeof(path), "new%cidmap", kind);
    snprintf(target, sizeof(target), "%d", pid);
    snprintf(id, sizeof(id), "%u", own);
    /* Its exit status is all that it can tell: so be prepared. */
    shared->finding = (struct finding){NO, "run(new*idmap)", EPERM};
    execlp(path, path, target, "0", id, "1", "1", first, count, NULL);
    must("exec(new*idmap)", -1);
}

/* ---- mounts, network ------------------------------------------- */

/* Inside a user namespace the kernel refuses this when parts of the
 * old /proc are covered: the new one would show them again. */
static void try_proc(int flags)
{
    enter(flags | CLONE_NEWPID);
    must("mount(proc)", mount("proc", "/proc", "proc", 0, NULL));
}

/* A file system of our own on /tmp, which only we see. */
static void enter_scratch(int flags)
{
    enter(flags);
    must("mount(tmpfs)", mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
    must("chdir", chdir("/tmp"));
}

static void try_pivot(int flags)
{
    enter_scratch(flags);
    must("pivot_root", (int)syscall(SYS_pivot_root, ".", "."));
}

static void try_overlay(int flags)
{
    static const char *const names[] = {"low", "up", "work", "all"};

    enter_scratch(flags);
    for (size_t i = 0; i < 4; i++)
        must("mkdir(overlay)", mkdir(names[i], 0755));
    must("mount(overlay)",
         mount("overlay", "all", "overlay", 0,
               "lowerdir=low,upperdir=up,workdir=work"));
    /* What is made in the whole lands in the upper layer. */
    must("mkdir(overlay)", mkdir("all/new", 0755));
    must("mkdir(overlay)", access("up/new", F_OK));
}

/* "Make a link of kind veth": its peer comes along by itself. */
static void try_veth(int flags)
{
    enum { RTA = sizeof(struct rtattr) };
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
        struct rtattr info, kind;
        char name[4];
    } request = {
        .head.nlmsg_len = sizeof(request),
        .head.nlmsg_type = RTM_NEWLINK,
        .head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK,
        .info.rta_len = 2 * RTA + 4,
        .info.rta_type = IFLA_LINKINFO,
        .kind.rta_len = RTA + 4,
        .kind.rta_type = IFLA_INFO_KIND,
        .name = "veth",
    };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr result;
        char more[512];
    } reply;

    enter(flags);
    int fd =
        must("socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    must("RTM_NEWLINK", (int)send(fd, &request, sizeof(request), 0));
    must("RTM_NEWLINK", (int)recv(fd, &reply, sizeof(reply), 0));
    must_be("RTM_NEWLINK", !reply.result.error, -reply.result.error);
}

/* ---- control groups -------------------------------------------- */

static bool is_mounted(const char *path, long type)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == type;
}

static bool pure_v2(void)
{
    return is_mounted("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC);
}

static bool hybrid(void)
{
    return is_mounted("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC);
}

static bool some_v1(void)
{
    return is_mounted("/sys/fs/cgroup/pids", CGROUP_SUPER_MAGIC);
}

static void try_layout(int flags)
{
    must_be("statfs(cgroup)", pure_v2() || some_v1(), ENOENT);
    must_be(hybrid() ? "cgroup(hybrid)" : "cgroup(v1)", pure_v2(),
            flags);
}

/* Makes a group in the one that we are in. Version 2 hands LIMIT's
 * controller to a group's children only while no process is in the
 * group itself; then a group beside it has to do. */
static void make_group(const char *limit)
{
    bool v1 = !pure_v2() && (limit || !hybrid());
    const char *top = pure_v2() ? "/sys/fs/cgroup"
                      : v1      ? "/sys/fs/cgroup/pids"
                                : "/sys/fs/cgroup/unified";
    char line[PATH_MAX / 2], *own = NULL;
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file && !own && fgets(line, sizeof(line), file))
        own = strstr(line, v1 ? ":pids:" : "0::");
    must_be("open(cgroup)", own, ENOENT);
    own = strchr(own, '/');
    own[strcspn(own, "\n")] = '\0';
    for (const char *step = v1 ? "mkdir(v1)" : "mkdir(v2)";;
         step = "mkdir(beside)") {
        snprintf(shared->group, PATH_MAX, "%s%s/preflight-%d", top, own,
                 getppid());
        must(step, mkdir(shared->group, 0755));
        must(step, chdir(shared->group));
        if (v1 || !limit || !access(limit, F_OK) || strlen(own) < 2)
            return;
        rmdir(shared->group);
        *strrchr(own, '/') = '\0';
    }
}

static void try_group(int limited)
{
    go_on_in_child();
    make_group(limited ? "pids.max" : NULL);
    if (limited)
        must_write("write(pids.max)", "pids.max", "1");
    must_write("write(cgroup.procs)", "cgroup.procs", "0");
    /* We are the one task: a second must be refused. */
    if (limited)
        must_be("fork(limited)", fork() == -1 && errno == EAGAIN, 0);
}

/* ---- young system calls ---------------------------------------- */

static void try_call(int number)
{
    struct open_how how = {.flags = O_PATH, .resolve = RESOLVE_IN_ROOT};
    struct clone_args args = {.exit_signal = SIGCHLD};

    if (number == SYS_openat2)
        must("openat2", (int)syscall(SYS_openat2, AT_FDCWD, "/", &how,
                                     sizeof(how)));
    else if (number == SYS_pidfd_open)
        must("pidfd_open", (int)syscall(SYS_pidfd_open, getpid(), 0));
    else if (number == SYS_close_range)
        must("close_range", (int)syscall(SYS_close_range, 3, ~0U, 0));
    else if (must("clone3",
                  (int)syscall(SYS_clone3, &args, sizeof(args))) > 0)
        must("waitpid", wait(NULL));
}

/* ---- the features ---------------------------------------------- */

static const struct feature {
    const char *name, *use;
    void (*probe)(int);
    int flags;
} features[] = {
    {"user namespace",   "to be root",    try_user,    CLONE_NEWUSER  },
    {"uid_map write",    "to be someone", try_map,     CLONE_NEWUSER  },
    {"range of uids",    "many users",    try_range,   'u'            },
    {"range of gids",    "many groups",   try_range,   'g'            },
    {"ipc namespace",    "queues",        enter,       CLONE_NEWIPC   },
    {"uts namespace",    "a host name",   enter,       CLONE_NEWUTS   },
    {"pid namespace",    "process IDs",   enter,       CLONE_NEWPID   },
    {"mnt namespace",    "mounts",        enter,       CLONE_NEWNS    },
    {"net namespace",    "a network",     enter,       CLONE_NEWNET   },
    {"cgroup namespace", "group paths",   enter,       CLONE_NEWCGROUP},
    {"time namespace",   "an uptime",     enter,       CLONE_NEWTIME  },
    {"proc mount",       "its own /proc", try_proc,    CLONE_NEWNS    },
    {"pivot_root",       "its own /",     try_pivot,   CLONE_NEWNS    },
    {"overlay mount",    "shared images", try_overlay, CLONE_NEWNS    },
    {"veth pair",        "a cable out",   try_veth,    CLONE_NEWNET   },
    {"cgroup layout",    "version 2",     try_layout,  0              },
    {"cgroup limit",     "only N tasks",  try_group,   true           },
    {"delegation",       "our own group", try_group,   false          },
    {"openat2",          "safe paths",    try_call,    SYS_openat2    },
    {"pidfd_open",       "safe signals",  try_call,    SYS_pidfd_open },
    {"clone3",           "into a group",  try_call,    SYS_clone3     },
    {"close_range",      "no leaks",      try_call,    SYS_close_range},
};
enum { FEATURES = sizeof(features) / sizeof(features[0]) };

/* The course has a way round these. */
static bool is_optional(const struct feature *feature)
{
    return feature->probe == try_call || feature->probe == try_layout;
}

static void run_in_child(const struct feature *feature)
{
    /* Out of reach of Ctrl-C, which would end us before we clear up. */
    must("setpgid", setpgid(0, 0));
    signal(SIGALRM, SIG_DFL);
    alarm(BOUND_SECONDS);
    int null = must("/dev/null", open("/dev/null", O_RDWR));
    must("dup2", dup2(null, 1) == -1 ? -1 : dup2(null, 2));
    feature->probe(feature->flags);
    _exit(YES);
}

/* Runs one probe, and ends all that is left of it. */
static struct finding run_probe(const struct feature *feature)
{
    siginfo_t end;

    memset(shared, 0, sizeof(*shared));
    pid_t pid = fork();
    if (pid == -1)
        err(PREFLIGHT_FAILED, "fork, for a probe");
    if (pid == 0)
        run_in_child(feature);
    /* Not reaped yet, so the number still means this group alone. */
    if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT) == -1)
        err(PREFLIGHT_FAILED, "waitid, for a probe");
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    remove_group();
    if (end.si_code == CLD_EXITED && end.si_status == YES)
        return (struct finding){YES, NULL, 0};
    if (end.si_code != CLD_EXITED && end.si_status == SIGALRM)
        shared->finding = (struct finding){NO, "time(2 s)", 0};
    else if (end.si_code != CLD_EXITED || !shared->finding.step)
        shared->finding = (struct finding){NO, "killed", 0};
    shared->finding.answer = is_optional(feature) ? PARTLY : NO;
    return shared->finding;
}

/* ---- the layers ------------------------------------------------ */

/* What can say no, and what it looks like from here. */
struct layer {
    const char *steps; /* the step that failed is one of these words */
    int error;         /* with this errno; 0: any */
    const char *file;  /* and a line in this file, */
    const char *line;  /* is like this (fnmatch(3)); "!...": none is */
    const char *name, *remedy;
};

#define ALWAYS        NULL, NULL
#define MOUNTED(line) "/proc/self/mountinfo", line
#define STATUS(line)  "/proc/self/status", line
#define SYSCTL(name)  "/proc/sys/" name
#define NEWUSER       "unshare(CLONE_NEWUSER)"
#define NEW_KINDS     "unshare(CLONE_NEW...)"
#define NEW_CALLS     "openat2 pidfd_open clone3 close_range"
#define DELEGATE      "systemd-run --user --scope -p Delegate=yes bash"

/* An initialiser that clang-format lays out as a call. */
#define ROW(...)    \
    {               \
        __VA_ARGS__ \
    }

static const struct layer layers[] = {
    /* region: layers */
    ROW("unshare(filtered)", 0, ALWAYS,
        "a seccomp filter of an outer container or service",
        "docker run --security-opt seccomp=unconfined"),
    ROW(NEWUSER, ENOSPC, ALWAYS,
        "the count user.max_user_namespaces, here or further out",
        "sysctl -w user.max_user_namespaces=15000"),
    ROW(NEWUSER " unshare(filtered)", EPERM,
        SYSCTL("user/max_user_namespaces"), "0\n",
        "the count user.max_user_namespaces",
        "sysctl -w user.max_user_namespaces=15000"),
    ROW(NEWUSER " unshare(filtered)", EPERM,
        SYSCTL("kernel/unprivileged_userns_clone"), "0\n",
        "the switch kernel.unprivileged_userns_clone",
        "sysctl -w kernel.unprivileged_userns_clone=1"),
    ROW(NEWUSER " unshare(filtered) write(uid_map) " NEW_KINDS, 0,
        SYSCTL("kernel/apparmor_restrict_unprivileged_userns"), "1\n",
        "AppArmor's kernel.apparmor_restrict_unprivileged_userns",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
    /* endregion: layers */
    ROW(NEWUSER " mount(private) pivot_root", 0, MOUNTED("!*:* * / *"),
        "a chroot: its / is not a mount", "leave the chroot"),
    ROW(NEWUSER " " NEW_KINDS, EINVAL, ALWAYS,
        "a kernel without this kind of namespace",
        "make vm, or Linux 5.6 or newer"),
    ROW(NEW_KINDS, ENOSPC, ALWAYS,
        "a count in /proc/sys/user/max_*_namespaces",
        "sysctl -w user.max_..._namespaces=15000"),
    ROW("mount(proc)", EPERM, MOUNTED("* /proc/*"),
        "a masked /proc: parts of it are covered",
        "docker run --security-opt systempaths=unconfined"),
    ROW("mount(private) mount(proc) mount(tmpfs) mount(overlay)",
        EACCES, "/proc/self/attr/current", "*(enforce)*",
        "the AppArmor profile of an outer container",
        "docker run --security-opt apparmor=unconfined"),
    ROW("pivot_root", EINVAL, MOUNTED("*:* * / * - rootfs *"),
        "/ is the kernel's first ramfs, which cannot be left",
        "switch_root(8) to a tmpfs first"),
    ROW("mount(overlay)", ENODEV, ALWAYS, "no overlay module",
        "modprobe overlay"),
    ROW("mount(overlay)", EPERM, ALWAYS,
        "a kernel that gives overlays to real root only",
        "make vm, or Linux 5.11 or newer"),
    ROW("RTM_NEWLINK", EOPNOTSUPP, ALWAYS, "no veth module",
        "modprobe veth"),
    ROW("find(range)", 0, ALWAYS,
        "no range for you in /etc/subuid or /etc/subgid",
        "usermod -v 100000-165535 -w 100000-165535 YOU"),
    ROW("exec(new*idmap)", 0, ALWAYS,
        "newuidmap and newgidmap are not in PATH",
        "apt-get install uidmap"),
    ROW("run(new*idmap)", 0, STATUS("NoNewPrivs:*1\n"),
        "no_new_privs: set-uid programs gain nothing",
        "start from a login shell"),
    ROW("run(new*idmap)", 0, STATUS("NoNewPrivs:*0\n"),
        "newuidmap refused: not set-uid root, or on a nosuid mount",
        "apt-get install --reinstall uidmap"),
    ROW("write(range)", EPERM, ALWAYS,
        "an outer user namespace that has few ids",
        "leave it: be real root, or an ordinary user"),
    ROW("statfs(cgroup)", 0, ALWAYS, "no control groups are mounted",
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
    ROW("cgroup(hybrid) cgroup(v1)", 0, ALWAYS,
        "version 1 has the controllers",
        "make vm, or boot with systemd.unified_cgroup_hierarchy=1"),
    ROW("mkdir(v1) mkdir(v2)", EROFS, ALWAYS,
        "an outer container: its control groups are read-only",
        "make vm, or docker run --privileged"),
    ROW("mkdir(v1)", EACCES, ALWAYS,
        "version 1 belongs to root: no delegation",
        "run as root, or make vm"),
    ROW("mkdir(v2) write(cgroup.procs)", EACCES, ALWAYS,
        "no delegation: the group that we are in is another's",
        DELEGATE),
    ROW("mkdir(v2)", EACCES, "/proc/self/environ", "!XDG_RUNTIME_DIR=*",
        "no user session: XDG_RUNTIME_DIR is not set",
        "log in: su and sudo are not enough"),
    ROW("mkdir(beside) write(pids.max)", 0, ALWAYS,
        "our group holds processes: no limit for groups below it",
        DELEGATE),
    ROW(NEW_CALLS, 0, STATUS("Seccomp:*2\n"),
        "a seccomp filter that does not know the call",
        "docker run --security-opt seccomp=unconfined"),
    ROW(NEW_CALLS, ENOSYS, STATUS("!Seccomp:*2\n"),
        "a kernel older than the call",
        "make vm, or Linux 5.9 or newer"),
    ROW("killed", 0, STATUS("Seccomp:*2\n"),
        "a seccomp filter that kills", "leave the outer container"),
    ROW("time(2 s)", 0, ALWAYS, "no answer within two seconds",
        "make vm"),
    /* The last row is for what no other explains. */
    ROW("", 0, ALWAYS, "not known: see the call and its errno",
        "make vm, a machine where all of it works"),
};
enum { LAYERS = sizeof(layers) / sizeof(layers[0]) };

static bool has_line(const char *path, const char *pattern)
{
    /* The strings in there end with a NUL: proc(5). */
    int end = strcmp(path, "/proc/self/environ") == 0 ? '\0' : '\n';
    bool found = false;
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");

    while (file && !found && getdelim(&line, &size, end, file) != -1)
        found = fnmatch(pattern, line, 0) == 0;
    if (file)
        fclose(file);
    free(line);
    return found;
}

static bool applies(const struct layer *layer,
                    const struct finding *finding)
{
    if (!strstr(layer->steps, finding->step) ||
        (layer->error && layer->error != finding->error))
        return false;
    if (!layer->file)
        return true;
    if (layer->line[0] == '!')
        return !has_line(layer->file, layer->line + 1);
    return has_line(layer->file, layer->line);
}

/* The first layer that may have said no, or the next one: several can
 * at once. */
static const struct layer *next_layer(const struct finding *finding,
                                      const struct layer *last)
{
    const struct layer *layer = last ? last + 1 : layers;

    for (; layer < layers + LAYERS - 1; layer++)
        if (applies(layer, finding))
            return layer;
    return last ? NULL : layer;
}

/* ---- to tell --------------------------------------------------- */

static const char *const words[] = {"yes", "no", "partly"};

/* Below a line: what failed, and why, unless a line above says so. */
static void explain(const struct finding findings[], size_t which)
{
    const struct finding *f = &findings[which];

    printf("    failed:     %s%s%s\n", f->step, f->error ? ": " : "",
           f->error ? strerrorname_np(f->error) : "");
    for (size_t i = 0; i < which; i++)
        if (findings[i].step == f->step &&
            findings[i].error == f->error) {
            printf("    blocked by: as above, %s\n", features[i].name);
            return;
        }
    for (const struct layer *l = NULL; (l = next_layer(f, l));)
        printf("    blocked by: %s\n    remedy:     %s\n", l->name,
               l->remedy);
}

static void print_table(const struct finding findings[],
                        const int counts[])
{
    printf("%-17s %-7s %s\n", "FEATURE", "WORKS", "WHAT FOR");
    for (size_t i = 0; i < FEATURES; i++) {
        printf("%-17s %-7s %s\n", features[i].name,
               words[findings[i].answer], features[i].use);
        if (findings[i].answer != YES)
            explain(findings, i);
    }
    printf("\n%d yes, %d partly, %d no: %s\n", counts[YES],
           counts[PARTLY], counts[NO],
           counts[NO] ? "\"make vm\" boots a machine without a \"no\"."
                      : "this machine has what the course needs.");
}

static void print_json(const struct finding findings[])
{
    printf("{\"privileged\": %s,\n \"features\": [",
           privileged ? "true" : "false");
    for (size_t i = 0; i < FEATURES; i++) {
        const struct finding *f = &findings[i];
        printf("%s\n  {\"feature\": \"%s\", \"works\": \"%s\"",
               i ? "," : "", features[i].name, words[f->answer]);
        if (f->answer != YES) {
            printf(", \"failed\": \"%s\", \"errno\": \"%s\",\n"
                   "   \"blocked_by\": [",
                   f->step, f->error ? strerrorname_np(f->error) : "");
            for (const struct layer *l = NULL, *first = NULL;
                 (l = next_layer(f, l)); first = l)
                printf(
                    "%s\n    {\"layer\": \"%s\", \"remedy\": \"%s\"}",
                    first ? "," : "", l->name, l->remedy);
            printf("]");
        }
        printf("}");
    }
    printf("\n]}\n");
}

static void print_help(void)
{
    puts("usage: preflight [--json | --help]\n"
         "Tries each feature that the course needs, and says what\n"
         "works here, what blocks the rest, and the remedy.\n"
         "Exit status: 0 all the course needs works, 1 something is\n"
         "blocked, 125 preflight itself failed.");
}

/* ---- the story ------------------------------------------------- */

/* Descriptors 0 to 2 may come closed: then what we open next would be
 * taken for them. SIGCHLD may come ignored: then nobody would be left
 * to wait for. */
static void prepare(void)
{
    int null;

    while ((null = open("/dev/null", O_RDWR)) >= 0 && null <= 2)
        ;
    if (null > 2)
        close(null);
    signal(SIGCHLD, SIG_DFL);
    /* Else "root" of a container would pass for root. */
    privileged =
        has_line("/proc/self/status", "CapEff:*[2367abef]?????\n");
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        err(PREFLIGHT_FAILED, "mmap, to hear from the probes");
}

int main(int argc, char *argv[])
{
    const char *option = argc > 1 ? argv[1] : "";
    bool json = strcmp(option, "--json") == 0;
    bool help = strcmp(option, "--help") == 0;
    struct finding findings[FEATURES];
    int counts[] = {0, 0, 0};

    if (argc > 2 || (argc == 2 && !json && !help))
        errx(PREFLIGHT_FAILED, "usage: preflight [--json | --help]");
    prepare();
    for (size_t i = 0; i < FEATURES && !help; i++) {
        findings[i] = run_probe(&features[i]);
        counts[findings[i].answer]++;
    }
    if (help)
        print_help();
    else if (json)
        print_json(findings);
    else
        print_table(findings, counts);
    if (fflush(stdout) == EOF)
        err(PREFLIGHT_FAILED, "write, to standard output");
    return counts[NO] ? 1 : 0;
}
