/*
 * preflight_test - does preflight tell the truth, and name the right layer?
 *
 * The BOX of this suite is preflight itself.  Two kinds of test: every line
 * must agree with a direct attempt made by other hands (unshare(1), mount(8),
 * ip(8), the shell); and where a layer is put between preflight and the
 * kernel, that layer must be named, and no other.
 *
 * What cannot be had on every kernel is played by this program itself, which
 * the tests start as
 *
 *     preflight_test --filter PLAY COMMAND [ARG...]
 *
 * to run COMMAND under a seccomp filter: see plays[].
 */
#include "witness.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILTER_FAILED = 124 };

/* ---- --filter: a layer between a command and the kernel ------------------- */

/* A play's own answer to a call that it is asked about: an errno, 0 for "let
 * the kernel do it", or -1 for no answer at all. */
typedef int (*decision)(const struct seccomp_notif *call, pid_t command);

/* Debian's switch: CLONE_NEWUSER is refused, but only where the kernel would
 * look at the switch; nonsense is nonsense before that. */
static int like_debians_switch(const struct seccomp_notif *call, pid_t command)
{
    (void)command;
    return call->data.args[0] == CLONE_NEWUSER ? EPERM : 0;
}

/*
 * AppArmor's restriction, the default of Ubuntu 24.04: unshare succeeds, but in the new
 * user namespace the process has no capability.  So the write of uid_map is
 * refused by map_write() in the kernel, with EPERM.  No register tells what
 * file a descriptor is; we look in /proc.
 */
static int like_apparmor(const struct seccomp_notif *call, pid_t command)
{
    char link[64], target[256];

    (void)command;
    snprintf(link, sizeof(link), "/proc/%u/fd/%d", call->pid,
             (int)call->data.args[0]);
    ssize_t length = readlink(link, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    return strstr(target, "/uid_map") ? EPERM : 0;
}

static int no_answer(const struct seccomp_notif *call, pid_t command)
{
    (void)call;
    (void)command;
    return -1;
}

/* Kills the command when its child makes a control group: what is above the
 * child dies, and the child's mkdir goes on. */
static int kill_the_command(const struct seccomp_notif *call, pid_t command)
{
    if (call->pid != (unsigned)command)
        kill(command, SIGKILL);
    return 0;
}

enum { MAX_CALLS = 4 };

struct play {
    const char *name;
    unsigned action;
    unsigned flags; /* only when the first argument has one of these */
    decision decide;
    int calls[MAX_CALLS];
};

#define REFUSE(error) (SECCOMP_RET_ERRNO | (error))
#define ASK           SECCOMP_RET_USER_NOTIF
#define PLAY(...)   \
    {               \
        __VA_ARGS__ \
    }
#ifndef SYS_mkdir /* some machines have only the younger one */
#define SYS_mkdir SYS_mkdirat
#endif

static const struct play plays[] = {
    PLAY("no-userns", REFUSE(EPERM), CLONE_NEWUSER, NULL,
         {SYS_unshare, SYS_clone}),
    PLAY("no-young-calls", REFUSE(ENOSYS), 0, NULL,
         {SYS_openat2, SYS_pidfd_open, SYS_clone3, SYS_close_range}),
    PLAY("kill", SECCOMP_RET_KILL_PROCESS, CLONE_NEWUSER, NULL, {SYS_unshare}),
    PLAY("switch", ASK, CLONE_NEWUSER, like_debians_switch, {SYS_unshare}),
    PLAY("apparmor", ASK, 0, like_apparmor, {SYS_write}),
    PLAY("hang", ASK, 0, no_answer, {SYS_openat2}),
    PLAY("kill-at-mkdir", ASK, 0, kill_the_command, {SYS_mkdir, SYS_mkdirat}),
};

/* Installs the play's filter in this process; returns the listener, or 0. */
static int install(const struct play *play)
{
    struct sock_filter code[8 * MAX_CALLS + 1];
    unsigned short n = 0;

    for (int i = 0; i < MAX_CALLS && play->calls[i]; i++) {
        code[n++] =
            (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                         offsetof(struct seccomp_data, nr));
        code[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                         (unsigned)play->calls[i], 0, 3);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                 offsetof(struct seccomp_data,
                                                          args[0]));
        code[n++] = (struct sock_filter)
            BPF_JUMP(BPF_JMP | (play->flags ? BPF_JSET : BPF_JGE) | BPF_K,
                     play->flags, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, play->action);
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        err(FILTER_FAILED, "prctl");
    int listener =
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     play->decide ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0,
                     &program);
    if (listener == -1)
        err(FILTER_FAILED, "seccomp");
    return listener;
}

/* Answers one question of the filter's. */
static void answer_call(const struct play *play, int listener, pid_t command)
{
    struct seccomp_notif call = {0};
    struct seccomp_notif_resp answer = {0};

    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == -1)
        return; /* who asked is gone */
    int decided = play->decide(&call, command);
    answer.id = call.id;
    answer.error = -decided;
    if (decided == 0)
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (decided >= 0)
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Answers until the command and all its descendants have ended; returns the
 * command's status.  (Older kernels count a process until it is reaped.) */
static int supervise(const struct play *play, int listener, int pidfd,
                     pid_t command)
{
    struct pollfd ready[] = {
        {.fd = listener, .events = POLLIN},
        {.fd = pidfd,    .events = POLLIN}
    };
    int status = 0;

    while (!(ready[0].revents & POLLHUP)) {
        if (poll(ready, 2, -1) == -1)
            err(FILTER_FAILED, "poll");
        if (ready[0].revents & POLLIN)
            answer_call(play, listener, command);
        if (ready[1].revents & POLLIN) {
            if (waitpid(command, &status, 0) == -1)
                err(FILTER_FAILED, "waitpid");
            ready[1].fd = -1;
            ready[1].revents = 0;
        }
    }
    if (ready[1].fd != -1 && waitpid(command, &status, 0) == -1)
        err(FILTER_FAILED, "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Takes the listener from the child that made it, and lets the child go on. */
static int take_listener(pid_t child, int pidfd, int number)
{
    int status;

    if (pidfd == -1 || waitpid(child, &status, WUNTRACED) == -1)
        err(FILTER_FAILED, "pidfd_open, waitpid");
    if (!WIFSTOPPED(status))
        exit(FILTER_FAILED);
    int listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (listener == -1 || kill(child, SIGCONT) == -1)
        err(FILTER_FAILED, "pidfd_getfd");
    return listener;
}

/* --filter PLAY COMMAND [ARG...] */
static int filter_main(char *argv[])
{
    const struct play *play = plays;
    /* The number that a descriptor made next will have. */
    int number = dup(0);

    close(number);
    while (strcmp(play->name, argv[0]) != 0)
        if (++play == plays + sizeof(plays) / sizeof(plays[0]))
            errx(FILTER_FAILED, "no play is called %s", argv[0]);
    pid_t pid = play->decide ? fork() : 0;
    if (pid == -1)
        err(FILTER_FAILED, "fork");
    if (pid == 0) {
        install(play);
        /* Close-on-exec is the listener: it has to be taken before. */
        if (play->decide)
            raise(SIGSTOP);
        execvp(argv[1], argv + 1);
        _exit(FILTER_FAILED);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return supervise(play, take_listener(pid, pidfd, number), pidfd, pid);
}

/* ---- direct attempts that have no command of their own --------------------- */

__attribute__((noreturn)) static void give_up(const char *what)
{
    err(1, "%s", what);
}

/* --map u|g: writes a map of 65536 ids for a child. */
static int map_main(const char *kind)
{
    int gate[2];
    char path[64], byte = 0;

    if (pipe2(gate, O_CLOEXEC) == -1)
        give_up("pipe2");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWUSER) == -1 || write(gate[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1)
        give_up("unshare");
    snprintf(path, sizeof(path), "/proc/%d/%sid_map", pid, kind);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || write(fd, "0 100000 65536\n", 15) != 15)
        give_up(path);
    close(fd);
    return 0;
}

/* --call NAME: a system call, in another way than preflight calls it. */
static int call_main(const char *name)
{
    uint64_t how[3] = {O_RDONLY}, args[8] = {CLONE_VM | CLONE_VFORK};
    long result = -1;

    if (strcmp(name, "openat2") == 0)
        result = syscall(SYS_openat2, AT_FDCWD, ".", how, sizeof(how));
    else if (strcmp(name, "pidfd_open") == 0)
        result = syscall(SYS_pidfd_open, getppid(), 0);
    else if (strcmp(name, "close_range") == 0)
        result = syscall(SYS_close_range, 1000, 1001, 0);
    else if (strcmp(name, "clone3") == 0) {
        args[0] = 0;
        args[4] = SIGCHLD;
        result = syscall(SYS_clone3, args, sizeof(args));
        if (result == 0)
            _exit(0);
        wait(NULL);
    }
    return result == -1;
}

/* ---- to run, and to read what preflight says ------------------------------ */

/*
 * Runs a shell script.  In it "$@" is the box, $T this program (copies, so
 * that any user may run them), $S the scratch directory.
 */
static struct outcome script(const char *lines)
{
    static const char prologue[] =
        "export PATH=\"$PATH:/usr/sbin:/sbin\" S=\"$1\" T=\"$1/try\";"
        "[ -e \"$T\" ] || cp \"$2\" \"$T\" || exit 99;"
        "[ -e \"$S/box\" ] || cp \"$3\" \"$S/box\" || exit 99;"
        "shift 3; set -- \"$S/box\" \"$@\";";
    static char own[PATH_MAX];
    const char *argv[32] = {"sh", "-c", NULL, "sh", scratch(), own};
    size_t used = 6;

    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    assert_true(length > 0);
    argv[2] = text("%s%s", prologue, lines);
    for (const char *const *word = box_words(); *word && used < 31; word++)
        argv[used++] = *word;
    return run_command(argv);
}

/* What preflight --json says of one feature: its whole object. */
static const char *object_of(const struct outcome *told, const char *feature)
{
    const char *begin =
        strstr(told->out, text("{\"feature\": \"%s\"", feature));

    if (!begin)
        fail_msg("no feature %s in: %s%s", feature, told->out, told->err);
    const char *end = strstr(begin, "\n  {\"feature\"");
    return text("%.*s", end ? (int)(end - begin) : (int)strlen(begin), begin);
}

static const char *answer_of(const struct outcome *told, const char *feature)
{
    const char *object = object_of(told, feature);

    return strstr(object, "\"works\": \"yes\"")  ? "yes"
           : strstr(object, "\"works\": \"no\"") ? "no"
                                                 : "partly";
}

static void assert_works(const struct outcome *told, const char *feature,
                         const char *expected)
{
    observe_equal(text("%s works", feature), expected, answer_of(told, feature),
                  object_of(told, feature));
}

static void assert_names(const struct outcome *told, const char *feature,
                         const char *layer)
{
    observe_contains(text("what blocks %s", feature), layer,
                     object_of(told, feature), "preflight --json");
}

static void assert_spares(const struct outcome *told, const char *feature,
                          const char *layer)
{
    observe_lacks(text("what blocks %s", feature), layer,
                  object_of(told, feature), "preflight --json");
}

/* As a user who has the ids that a file of $S says, or none. */
#define AS_USER(ids)                                                        \
    "unshare -m sh -c 'echo learner:100000:65536 >\"$S/range\"; : "         \
    ">\"$S/none\";"                                                         \
    "{ cat /etc/passwd; echo learner:x:1234:1234::/:/bin/sh; } >\"$S/pw\";" \
    "mount --bind \"$S/pw\" /etc/passwd &&"                                 \
    "mount --bind \"$S/" ids "\" /etc/subuid &&"                            \
    "mount --bind \"$S/" ids "\" /etc/subgid || exit 99;"                   \
    "exec setpriv --reuid 1234 --regid 1234 --clear-groups "                \
    "env -u XDG_RUNTIME_DIR \"$@\"' sh "

/* Words that make what follows an ordinary user with a range of ids: root
 * becomes one, and an ordinary user has to be one. */
static const char *as_user_with_range(void)
{
    if (outside_is_throwaway())
        return AS_USER("range");
    skip_unless(
        script("grep -q \"^$(id -un):\" /etc/subuid /etc/subgid").status == 0,
        "no-subuid-range", "this user has no range of ids",
        "usermod -v 100000-165535 -w 100000-165535 YOU");
    return "";
}

/* ---- every line agrees with a direct attempt -------------------------------- */

#define ROOT "[ \"$(id -u)\" -eq 0 ] && r= || r=-Ur; "
#define OWN_GROUP                                             \
    "v2() { [ \"$(stat -f -c %T \"$1\")\" = cgroup2fs ]; }; " \
    "t=/sys/fs/cgroup; n=^0::;"
#define PIDS_GROUP                                    \
    OWN_GROUP "v2 $t || { t=$t/pids; n=^.*:pids:; };" \
              "o=$t$(sed -n \"s|$n||p\" /proc/self/cgroup);"
#define ANY_GROUP                                              \
    OWN_GROUP "v2 $t || { v2 $t/unified && t=$t/unified; } ||" \
              "  { t=$t/pids; n=^.*:pids:; };"                 \
              "o=$t$(sed -n \"s|$n||p\" /proc/self/cgroup);"

/* (unshare --map-users leaves its helper behind when it may not unshare.) */
static const struct {
    const char *feature, *attempt;
} attempts[] = {
    {"user namespace",   "unshare -U true"                                                         },
    {"uid_map write",    "unshare -Ur true"                                                        },
    {"range of uids",    "[ \"$(id -u)\" -eq 0 ] && exec \"$T\" --map u;"
                      "unshare -U true && exec unshare --map-users=auto true" },
    {"range of gids",    "[ \"$(id -u)\" -eq 0 ] && exec \"$T\" --map g;"
                      "unshare -U true && exec unshare --map-groups=auto true"},
    {"ipc namespace",    ROOT "unshare $r -i true"                                                 },
    {"uts namespace",    ROOT "unshare $r -u true"                                                 },
    {"pid namespace",    ROOT "unshare $r -pf true"                                                },
    {"mnt namespace",    ROOT "unshare $r -m true"                                                 },
    {"net namespace",    ROOT "unshare $r -n true"                                                 },
    {"cgroup namespace", ROOT "unshare $r -C true"                                                 },
    {"time namespace",   ROOT "unshare $r -T true"                                                 },
    {"proc mount",       ROOT "unshare $r -mpf mount -t proc proc /proc"                           },
    {"pivot_root",       ROOT "unshare $r -m sh -c '"
                        "mount -t tmpfs t /tmp && cd /tmp && pivot_root . .'"    },
    {"overlay mount",
     ROOT "unshare $r -m sh -c '"
          "mount -t tmpfs t /tmp && cd /tmp && mkdir a b c d &&"
          "mount -t overlay o -o lowerdir=a,upperdir=b,workdir=c d &&"
          "echo >d/x && test -e b/x'"                                                              },
    {"veth pair",        ROOT "unshare $r -n ip link add type veth"                                },
    {"cgroup layout",    OWN_GROUP "v2 $t"                                                         },
    {"cgroup limit",
     PIDS_GROUP "for d in \"$o\" \"${o%/*}\"; do export G=$d/attempt-$$;"
                "  mkdir \"$G\" && [ -e \"$G/pids.max\" ] && break;"
                "  rmdir \"$G\" || exit 1;"
                "done; echo 1 >\"$G/pids.max\" &&"
                "! sh -c 'echo 0 >$G/cgroup.procs || exit 0; /bin/true; :';"
                "s=$?; while ! rmdir \"$G\"; do :; done; exit $s"                                  },
    {"delegation",       ANY_GROUP "export G=$o/attempt-$$; mkdir \"$G\" || exit 1;"
                             "sh -c 'echo 0 >$G/cgroup.procs'; s=$?;"
                             "while ! rmdir \"$G\"; do :; done; exit $s"         },
    {"openat2",          "\"$T\" --call openat2"                                                   },
    {"pidfd_open",       "\"$T\" --call pidfd_open"                                                },
    {"clone3",           "\"$T\" --call clone3"                                                    },
    {"close_range",      "\"$T\" --call close_range"                                               },
};
enum { ATTEMPTS = sizeof(attempts) / sizeof(attempts[0]) };

/* All attempts as one script, which prints the status of each on a line. */
static char *all_attempts(void)
{
    char *script = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&script, &size);

    for (size_t i = 0; i < ATTEMPTS; i++)
        fprintf(out, "( %s\n) >/dev/null 2>&1; echo $?\n", attempts[i].attempt);
    fclose(out);
    return script;
}

/* In the surroundings that the words BEFORE make: preflight, and then each
 * thing itself. */
static void agrees(const char *before)
{
    struct outcome told = script(text("%s \"$@\" --json", before));

    setenv("A", all_attempts(), 1);
    struct outcome tried = script(text("%s sh -c \"$A\"", before));
    const char *status = tried.out;
    for (size_t i = 0; i < ATTEMPTS; i++) {
        const char *works = answer_of(&told, attempts[i].feature);
        /* A way round it is not it. */
        if (strcmp(works, "partly") == 0)
            works = "no";
        if (!*status)
            fail_msg("the attempts ended early: %s%s", tried.out, tried.err);
        observe_equal(text("whether %s works", attempts[i].feature),
                      strncmp(status, "0\n", 2) == 0 ? "yes" : "no", works,
                      attempts[i].attempt);
        status += strcspn(status, "\n") + 1;
    }
}

static void every_line_agrees_with_a_direct_attempt(void **state)
{
    (void)state;
    agrees("");
}

static void every_line_agrees_inside_a_user_namespace(void **state)
{
    (void)state;
    agrees("unshare -Ur");
}

#define NO_MORE(kind)                                     \
    "unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_" kind \
    "_namespaces; \"$@\"' sh "

static void every_line_agrees_where_user_namespaces_are_used_up(void **state)
{
    (void)state;
    agrees(NO_MORE("user"));
}

static void every_line_agrees_where_network_namespaces_are_used_up(void **state)
{
    (void)state;
    agrees(NO_MORE("net"));
}

/* What we cover ourselves, we could uncover; so it takes another user
 * namespace until it is a mask. */
#define MASKED                                             \
    "unshare -Urm sh -c 'mount -t tmpfs t /proc/sys/fs &&" \
    "unshare -Urm \"$@\"' sh "

static void every_line_agrees_where_proc_is_masked(void **state)
{
    (void)state;
    agrees(MASKED);
}

static void every_line_agrees_under_a_filter_of_unshare(void **state)
{
    (void)state;
    agrees("\"$T\" --filter no-userns");
}

static void every_line_agrees_under_a_filter_of_young_calls(void **state)
{
    (void)state;
    agrees("\"$T\" --filter no-young-calls");
}

static void every_line_agrees_for_an_ordinary_user(void **state)
{
    (void)state;
    agrees(outside_is_throwaway() ? AS_USER("range") : "");
}

/* An ordinary user, even where root calls, to whom nobody granted a range. */
#define NO_RANGE                                                \
    "unshare -Urm sh -c 'mount --bind /dev/null /etc/subuid &&" \
    "mount --bind /dev/null /etc/subgid || exit 99;"            \
    "exec unshare -U --map-user=1234 --map-group=1234 \"$@\"' sh "

static void every_line_agrees_for_a_user_without_a_range(void **state)
{
    (void)state;
    agrees(NO_RANGE);
}

/* ---- the layer that blocks is named ------------------------------------------ */

static struct outcome told(const char *before)
{
    return script(text("%s \"$@\" --json", before));
}

static void used_up_user_namespaces_are_named(void **state)
{
    (void)state;
    struct outcome before = told("unshare -Ur");
    struct outcome after = told(NO_MORE("user"));

    assert_works(&before, "user namespace", "yes"); /* control */
    assert_works(&after, "user namespace", "no");
    assert_names(&after, "user namespace", "\"errno\": \"ENOSPC\"");
    assert_names(&after, "user namespace", "user.max_user_namespaces");
    assert_spares(&after, "user namespace", "seccomp");
}

static void used_up_namespaces_of_another_kind_are_named(void **state)
{
    (void)state;
    struct outcome after = told(NO_MORE("uts"));

    assert_works(&after, "ipc namespace", "yes"); /* control */
    assert_works(&after, "uts namespace", "no");
    assert_names(&after, "uts namespace", "user/max_*_namespaces");
}

static void masked_proc_is_named(void **state)
{
    (void)state;
    struct outcome before = told("unshare -Urm unshare -Urm");
    struct outcome after = told(MASKED);

    assert_works(&before, "proc mount", "yes"); /* control */
    assert_works(&after, "proc mount", "no");
    assert_names(&after, "proc mount", "a masked /proc");
    assert_works(&after, "pid namespace", "yes");
}

static void outer_seccomp_filter_is_named(void **state)
{
    (void)state;
    struct outcome before = told(""), after = told("\"$T\" --filter no-userns");

    assert_works(&before, "user namespace", "yes"); /* control */
    assert_works(&after, "user namespace", "no");
    assert_names(&after, "user namespace", "a seccomp filter");
    assert_spares(&after, "user namespace", "max_user_namespaces");
    /* A filter is there, but it has nothing to do with these. */
    assert_works(&after, "openat2", "yes");
}

static void filter_that_kills_is_named(void **state)
{
    (void)state;
    struct outcome after = told("\"$T\" --filter kill");

    assert_works(&after, "user namespace", "no");
    assert_names(&after, "user namespace", "a seccomp filter that kills");
    assert_works(&after, "openat2", "yes");
}

/* A directory of /proc/sys/kernel in which NAME reads as VALUE; it takes a
 * mount namespace, and so root somewhere. */
#define PRETEND(name, value)                                   \
    "unshare -Urm sh -c 'mount -t tmpfs t /proc/sys/kernel &&" \
    "echo " value " >/proc/sys/kernel/" name " || exit 99; exec \"$@\"' sh "

static void kernels_switch_is_named_and_no_filter_is_blamed(void **state)
{
    (void)state;
    struct outcome before = told(PRETEND("unprivileged_userns_clone", "0"));
    struct outcome after = told(
        PRETEND("unprivileged_userns_clone", "0") "\"$T\" --filter switch");

    assert_works(&before, "user namespace", "yes"); /* by doing: it works */
    assert_works(&after, "user namespace", "no");
    assert_names(&after, "user namespace", "kernel.unprivileged_userns_clone");
    assert_spares(&after, "user namespace", "seccomp");
    assert_spares(&after, "user namespace", "max_user_namespaces");
}

#define APPARMOR "apparmor_restrict_unprivileged_userns"

static void apparmor_restriction_is_named_at_the_map_write(void **state)
{
    (void)state;
    struct outcome before = told(PRETEND(APPARMOR, "1"));
    struct outcome after =
        told(PRETEND(APPARMOR, "1") "\"$T\" --filter apparmor");

    assert_works(&before, "uid_map write", "yes"); /* by doing: it works */
    assert_works(&after, "user namespace", "yes");
    assert_works(&after, "uid_map write", "no");
    assert_names(&after, "uid_map write", "write(uid_map)");
    assert_names(&after, "uid_map write", "\"errno\": \"EPERM\"");
    assert_names(&after, "uid_map write", "AppArmor");
    assert_spares(&after, "uid_map write", "seccomp");
}

static void layers_that_block_at_once_are_each_named(void **state)
{
    (void)state;
    struct outcome after =
        told("unshare -Urm sh -c '"
             "echo 0 >/proc/sys/user/max_user_namespaces;"
             "mount -t tmpfs t /proc/sys/kernel || exit 99;"
             "echo 0 >/proc/sys/kernel/unprivileged_userns_clone;"
             "exec \"$T\" --filter no-userns \"$@\"' sh ");

    assert_names(&after, "user namespace", "a seccomp filter");
    assert_names(&after, "user namespace", "user.max_user_namespaces");
    assert_names(&after, "user namespace", "kernel.unprivileged_userns_clone");
}

static void missing_system_calls_are_partly_and_named(void **state)
{
    (void)state;
    static const char *const calls[] = {"openat2", "pidfd_open", "clone3",
                                        "close_range"};
    /* A filter takes no_new_privs, and that has its own effect. */
    struct outcome before = told("setpriv --no-new-privs");
    struct outcome after = told("\"$T\" --filter no-young-calls");

    for (size_t i = 0; i < 4; i++) {
        assert_works(&before, calls[i], "yes"); /* control */
        assert_works(&after, calls[i], "partly");
        assert_names(&after, calls[i], "\"errno\": \"ENOSYS\"");
        assert_names(&after, calls[i], "a seccomp filter that does not know");
    }
    assert_int_equal(after.status, before.status);
}

static void call_that_hangs_is_ended_after_two_seconds(void **state)
{
    (void)state;
    struct outcome after = told("\"$T\" --filter hang");

    assert_works(&after, "openat2", "partly");
    assert_names(&after, "openat2", "no answer within two seconds");
    assert_works(&after, "clone3", "yes"); /* and it went on */
}

/* A root directory that is no mount: a tree of bind mounts below it. */
#define IN_CHROOT                                               \
    "%s sh -c 'mkdir -p \"$S/c/r\"; mount -t tmpfs t \"$S/c\";" \
    "for d in bin dev etc lib lib64 proc sys tmp usr; do"       \
    "  [ -d /$d ] || continue; mkdir -p \"$S/c/r/$d\";"         \
    "  mount --rbind /$d \"$S/c/r/$d\"; done;"                  \
    "cp \"$1\" \"$S/c/r/box\"; shift; chroot \"$S/c/r\" /box \"$@\"' sh "

static void chroot_is_named_for_pivot_root_and_user_namespaces(void **state)
{
    (void)state;
    struct outcome after = told(text(IN_CHROOT, "unshare -Urm"));

    assert_works(&after, "pivot_root", "no");
    assert_names(&after, "pivot_root", "\"errno\": \"EINVAL\"");
    assert_names(&after, "pivot_root", "a chroot");
    assert_names(&after, "user namespace", "a chroot");
    assert_spares(&after, "user namespace", "seccomp");
}

static void missing_newuidmap_is_named(void **state)
{
    (void)state;
    const char *user = as_user_with_range();
    struct outcome before = told(user);
    struct outcome after = told(text("%s env PATH=/none ", user));

    assert_works(&before, "range of uids", "yes"); /* control */
    assert_works(&before, "range of gids", "yes");
    assert_works(&after, "range of uids", "no");
    assert_names(&after, "range of uids", "newuidmap");
    assert_names(&after, "range of uids", "apt-get install uidmap");
}

static void missing_range_of_ids_is_named(void **state)
{
    (void)state;
    struct outcome after = told(NO_RANGE);

    assert_works(&after, "range of uids", "no");
    assert_works(&after, "range of gids", "no");
    assert_names(&after, "range of uids", "/etc/subuid");
    assert_works(&after, "user namespace", "yes");
}

static void no_new_privs_is_named_for_newuidmap(void **state)
{
    (void)state;
    struct outcome after =
        told(text("%s setpriv --no-new-privs ", as_user_with_range()));

    assert_works(&after, "range of uids", "no");
    assert_names(&after, "range of uids", "no_new_privs");
}

/* A group of ours in which we may not make one, if we may make any. */
#define UNDELEGATED                                                    \
    ANY_GROUP "export G=$o/witness-$$;"                                \
              "mkdir \"$G\" 2>/dev/null && chmod 555 \"$G\";"          \
              "sh -c '[ ! -d \"$G\" ] || echo 0 >\"$G/cgroup.procs\";" \
              "exec env -u XDG_RUNTIME_DIR \"$@\"' sh \"$@\" --json;"  \
              "while [ -d \"$G\" ] && ! rmdir \"$G\"; do :; done"

static void missing_delegation_and_session_are_named(void **state)
{
    (void)state;
    struct outcome after =
        outside_is_throwaway() ? told(AS_USER("none")) : script(UNDELEGATED);

    assert_works(&after, "delegation", "no");
    assert_names(&after, "delegation", "no delegation");
    if (strstr(object_of(&after, "delegation"), "mkdir(v2)"))
        assert_names(&after, "delegation", "XDG_RUNTIME_DIR");
    assert_works(&after, "cgroup limit", "no");
    if (outside_is_throwaway()) {
        struct outcome before = told("");
        assert_works(&before, "delegation", "yes"); /* control */
    }
}

static void read_only_control_groups_are_named(void **state)
{
    (void)state;
    struct outcome after =
        told("unshare -Urm sh -c '"
             "for m in $(sed -n \"s|.* \\(/sys/fs/cgroup[^ ]*\\) .*|\\1|p\" "
             "/proc/self/mountinfo); do mount -o remount,bind,ro \"$m\"; done;"
             "exec \"$@\"' sh ");

    assert_works(&after, "cgroup limit", "no");
    assert_names(&after, "cgroup limit", "read-only");
    assert_names(&after, "cgroup limit", "\"errno\": \"EROFS\"");
}

static void absent_control_groups_are_named(void **state)
{
    (void)state;
    struct outcome after =
        told("unshare -Urm sh -c 'umount -l /sys/fs/cgroup 2>/dev/null ||"
             " mount -t tmpfs t /sys/fs/cgroup; exec \"$@\"' sh ");

    assert_works(&after, "cgroup layout", "partly");
    assert_names(&after, "cgroup layout", "no control groups are mounted");
    assert_works(&after, "cgroup limit", "no");
}

/* ---- to be relied on ---------------------------------------------------------- */

static bool group_is_left(void)
{
    struct outcome found =
        script("find /sys/fs/cgroup -name 'preflight-*' -type d | grep -q .");
    return found.status == 0;
}

static void control_group_is_removed_even_when_preflight_is_killed(void **state)
{
    (void)state;
    struct outcome whole = box_run("--json");

    skip_unless(strcmp(answer_of(&whole, "cgroup limit"), "yes") == 0,
                "no-delegation", "this user may not make a control group",
                "run as root, or: systemd-run --user --scope -p Delegate=yes");
    struct outcome killed = script("\"$T\" --filter kill-at-mkdir \"$@\"");
    assert_status(&killed, 128 + SIGKILL);
    wait_until(!group_is_left(), "a control group of a killed preflight");
}

static void exit_status_is_1_when_something_is_blocked(void **state)
{
    (void)state;
    struct outcome blocked = told(NO_MORE("user"));
    struct outcome plain = box_run("--json");

    assert_status(&blocked, 1);
    assert_status(&plain, strstr(plain.out, "\"works\": \"no\"") ? 1 : 0);
}

static void lab_machine_has_what_the_course_needs(void **state)
{
    (void)state;
    struct outcome plain = box_run_words((const char *const[]){NULL});
    const char *kind = getenv("WITNESS_KIND");

    if (kind && strcmp(kind, "lab") == 0)
        assert_status(&plain, 0);
    observe_contains("the last line",
                     plain.status ? "\"make vm\" boots a machine"
                                  : ", 0 no: this machine has what",
                     plain.out, "preflight");
}

static void json_is_well_formed(void **state)
{
    (void)state;
    static const char *const surroundings[] = {"", NO_MORE("user"), MASKED};
    static const char check[] =
        " \"$@\" --json | python3 -c 'import json, sys;"
        "d = json.load(sys.stdin); print(len(d[\"features\"]))'";

    for (size_t i = 0; i < 3; i++) {
        struct outcome seen = script(text("%s%s", surroundings[i], check));
        observe_equal("features in the JSON", text("%d", ATTEMPTS),
                      squeeze(seen.out), seen.err);
    }
}

static void table_and_json_say_the_same(void **state)
{
    (void)state;
    struct outcome json = told(NO_MORE("net"));
    struct outcome table = script(NO_MORE("net") " \"$@\"");

    for (size_t i = 0; i < ATTEMPTS; i++) {
        const char *feature = attempts[i].feature;
        observe_contains("a line of the table",
                         text("%s %s ", feature, answer_of(&json, feature)),
                         squeeze(table.out), table.out);
    }
    observe_contains("the table", "remedy:", table.out, "preflight");
}

static void closed_standard_descriptors_change_nothing(void **state)
{
    (void)state;
    struct outcome whole = script("\"$@\"");

    for (int fd = 0; fd <= 2; fd++) {
        struct outcome o = script(text("\"$@\" %d%s&-", fd, fd ? ">" : "<"));
        assert_status(&o, whole.status);
        observe_equal("what is printed", fd == 1 ? "" : whole.out, o.out,
                      text("descriptor %d closed", fd));
        observe_equal("what is complained of", "", o.err, "stderr");
    }
}

static void ignored_sigchld_changes_nothing(void **state)
{
    (void)state;
    struct outcome whole = script("\"$@\"");
    struct outcome ignored = script("trap '' CHLD ALRM; exec \"$@\"");

    observe_equal("what is printed", whole.out, ignored.out, "preflight");
}

static void help_goes_to_stdout(void **state)
{
    (void)state;
    struct outcome help = box_run("--help");

    assert_status(&help, 0);
    observe_contains("help", "usage: preflight", help.out, "stdout");
    observe_equal("stderr", "", help.err, "stderr");
}

static void usage_error_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome unknown = box_run("--no-such-option");
    struct outcome extra = box_run("--json", "extra");

    assert_status(&unknown, 125);
    assert_one_line(&unknown, "usage:");
    assert_status(&extra, 125);
    assert_one_line(&extra, "usage:");
}

static void full_disk_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome full = script("\"$@\" --help >/dev/full");

    assert_status(&full, 125);
    assert_one_line(&full, "No space left on device");
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_agrees_with_a_direct_attempt),
        cmocka_unit_test(every_line_agrees_inside_a_user_namespace),
        cmocka_unit_test(every_line_agrees_where_user_namespaces_are_used_up),
        cmocka_unit_test(
            every_line_agrees_where_network_namespaces_are_used_up),
        cmocka_unit_test(every_line_agrees_where_proc_is_masked),
        cmocka_unit_test(every_line_agrees_under_a_filter_of_unshare),
        cmocka_unit_test(every_line_agrees_under_a_filter_of_young_calls),
        cmocka_unit_test(every_line_agrees_for_an_ordinary_user),
        cmocka_unit_test(every_line_agrees_for_a_user_without_a_range),
        cmocka_unit_test(used_up_user_namespaces_are_named),
        cmocka_unit_test(used_up_namespaces_of_another_kind_are_named),
        cmocka_unit_test(masked_proc_is_named),
        cmocka_unit_test(outer_seccomp_filter_is_named),
        cmocka_unit_test(filter_that_kills_is_named),
        cmocka_unit_test(kernels_switch_is_named_and_no_filter_is_blamed),
        cmocka_unit_test(apparmor_restriction_is_named_at_the_map_write),
        cmocka_unit_test(layers_that_block_at_once_are_each_named),
        cmocka_unit_test(missing_system_calls_are_partly_and_named),
        cmocka_unit_test(call_that_hangs_is_ended_after_two_seconds),
        cmocka_unit_test(chroot_is_named_for_pivot_root_and_user_namespaces),
        cmocka_unit_test(missing_newuidmap_is_named),
        cmocka_unit_test(missing_range_of_ids_is_named),
        cmocka_unit_test(no_new_privs_is_named_for_newuidmap),
        cmocka_unit_test(missing_delegation_and_session_are_named),
        cmocka_unit_test(read_only_control_groups_are_named),
        cmocka_unit_test(absent_control_groups_are_named),
        cmocka_unit_test(
            control_group_is_removed_even_when_preflight_is_killed),
        cmocka_unit_test(exit_status_is_1_when_something_is_blocked),
        cmocka_unit_test(lab_machine_has_what_the_course_needs),
        cmocka_unit_test(json_is_well_formed),
        cmocka_unit_test(table_and_json_say_the_same),
        cmocka_unit_test(closed_standard_descriptors_change_nothing),
        cmocka_unit_test(ignored_sigchld_changes_nothing),
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(usage_error_is_one_line_and_125),
        cmocka_unit_test(full_disk_is_one_line_and_125),
    };
    if (argc > 3 && strcmp(argv[1], "--filter") == 0)
        return filter_main(argv + 2);
    if (argc == 3 && strcmp(argv[1], "--map") == 0)
        return map_main(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--call") == 0)
        return call_main(argv[2]);
    return witness_run(argc, argv, tests, AS_CALLER);
}
