/*
 * user_lab_test - are the maps written in the right order, and does the
 * child wait for them?
 *
 * A race is not looked for by luck.  The first tests trace the box (ptrace(2))
 * and stop the parent where a slow machine might; then the child shows what
 * it waits for.  The others run the box as an ordinary user.
 */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER = 4000, GROUP = 4001, MAX_WORDS = 32 };

/* WORDS(a, b): an array of strings that ends in NULL. */
#define WORDS(...) \
    (((const char *const[]){NULL, ##__VA_ARGS__, NULL, NULL}) + 1)

/* ---- an ordinary user's box -------------------------------------------------- */

static uid_t user_id(void)
{
    return geteuid() == 0 ? USER : geteuid();
}

static gid_t user_group(void)
{
    return geteuid() == 0 ? GROUP : getegid();
}

/* The project may stand where USER cannot go, such as /root. */
static const char *reachable(const char *path)
{
    if (geteuid() != 0 || !strchr(path, '/'))
        return path;
    const char *copy = text("%s%s", scratch(), strrchr(path, '/'));
    struct outcome o = run_command(
        (const char *const[]){"install", "-m", "755", path, copy, NULL});
    assert_status(&o, 0);
    return copy;
}

static void become_user_next(void)
{
    if (geteuid() == 0)
        start_next_as(USER, GROUP);
}

/* ---- a box under a tracer ------------------------------------------------- */

struct trace {
    pid_t box, child;
    const char *ran; /* the file that the command makes */
};

/* What a child does that may run as far as it gets. */
enum settled { WAITS, STARTED, ENDED };

static bool is_event(int status, int event)
{
    return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | event << 8);
}

static void go_on(enum __ptrace_request how, pid_t pid, int status)
{
    int stop = WIFSTOPPED(status) ? WSTOPSIG(status) & 0x7f : 0;
    /* Signals are passed on; the tracer's own stops are no signals. */
    long signal_number = stop == SIGTRAP || stop == SIGSTOP ? 0 : stop;

    if (ptrace(how, pid, 0, signal_number) == -1 && errno != ESRCH)
        fail_msg("ptrace: %s", strerror(errno));
}

static int wait_for(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, __WALL) == -1)
        fail_msg("waitpid: %s", strerror(errno));
    return status;
}

/* In a new process: becomes the box, run by an ordinary user, and traced. */
static void become_box(const char *box, const char *command)
{
    if (geteuid() == 0 && (setresgid(GROUP, GROUP, GROUP) == -1 ||
                           setresuid(USER, USER, USER) == -1))
        _exit(1);
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 || raise(SIGSTOP) != 0)
        _exit(1);
    execl(box, box, "--uid", "7", "--gid", "9", "--", "sh", "-c", command,
          NULL);
    _exit(1);
}

/* Starts the box, up to the parent's clone(2): both are stopped, and the
 * child has not made a step. */
static struct trace trace_box(void)
{
    struct trace trace = {.ran = text("%s/ran", scratch())};
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;
    const char *box = reachable(box_words()[0]);
    unsigned long child;
    int status;

    assert_int_equal(chmod(scratch(), 0777), 0);
    trace.box = fork();
    if (trace.box == 0)
        become_box(box, text(": >%s", trace.ran));
    status = wait_for(trace.box);
    if (ptrace(PTRACE_SETOPTIONS, trace.box, 0, options) == -1)
        fail_msg("PTRACE_SETOPTIONS: %s", strerror(errno));
    do {
        go_on(PTRACE_CONT, trace.box, status);
        status = wait_for(trace.box);
        if (!WIFSTOPPED(status))
            fail_msg("the box ended before it made a child");
    } while (!is_event(status, PTRACE_EVENT_CLONE) &&
             !is_event(status, PTRACE_EVENT_FORK) &&
             !is_event(status, PTRACE_EVENT_VFORK));
    if (ptrace(PTRACE_GETEVENTMSG, trace.box, 0, &child) == -1)
        fail_msg("PTRACE_GETEVENTMSG: %s", strerror(errno));
    trace.child = (pid_t)child;
    (void)wait_for(trace.child); /* the stop that it begins with */
    return trace;
}

/* The system call in which PID sleeps, -1 while it does not. */
static long sleeps_in(pid_t pid)
{
    if (!file_exists("/proc/%d/syscall", pid) ||
        strncmp(status_field(pid, "State"), "S", 1) != 0)
        return -1;
    const char *call = file_words("/proc/%d/syscall", pid);
    return strcmp(call, "running") == 0 ? -1 : atol(call);
}

/* Lets the child run until it waits, starts the command, or ends. */
static enum settled settle(const struct trace *trace)
{
    int status;

    for (struct pause p = pause_begin();;
         pause_next(&p, "the child neither waits nor starts the command"))
        if (waitpid(trace->child, &status, WNOHANG | __WALL) == trace->child) {
            if (!WIFSTOPPED(status))
                return ENDED;
            if (is_event(status, PTRACE_EVENT_EXEC))
                return STARTED;
            go_on(PTRACE_CONT, trace->child, status);
        } else {
            long call = sleeps_in(trace->child);
            if (call != -1 && call != SYS_execve)
                return WAITS;
        }
}

static void end_trace(const struct trace *trace)
{
    int status;

    kill(trace->child, SIGKILL);
    kill(trace->box, SIGKILL);
    while (waitpid(-1, &status, __WALL) > 0)
        ;
}

/* ---- the order of events --------------------------------------------------- */

static void child_waits_while_its_parent_is_slow(void **state)
{
    (void)state;
    struct trace trace = trace_box();

    go_on(PTRACE_CONT, trace.child, 0);
    enum settled child = settle(&trace);
    observe_true("the command is not started while the parent has written "
                 "nothing",
                 child != STARTED, "PTRACE_EVENT_EXEC");
    observe_true("the child does not end while the parent has written nothing",
                 child != ENDED, "waitpid(2)");
    long call = sleeps_in(trace.child);
    observe_true("the child waits for its parent, not for a time to pass",
                 call != SYS_nanosleep && call != SYS_clock_nanosleep,
                 text("/proc/%d/syscall: call %ld", trace.child, call));
    end_trace(&trace);
}

/* The parent dies when the child has come to wait; what does the child? */
static enum settled orphan_settles(struct trace *trace)
{
    *trace = trace_box();
    go_on(PTRACE_CONT, trace->child, 0);
    enum settled child = settle(trace);
    if (child == WAITS) {
        kill(trace->box, SIGKILL);
        (void)wait_for(trace->box);
        /* It may still be seen asleep, before it is woken. */
        for (int i = 0; i < 500 && (child = settle(trace)) == WAITS; i++) {
            struct pause p = pause_begin();
            pause_next(&p, "");
        }
    }
    return child;
}

static void child_does_not_hang_when_its_parent_dies(void **state)
{
    (void)state;
    struct trace trace;

    observe_true("the child does something when its parent is dead",
                 orphan_settles(&trace) != WAITS, "waitpid(2)");
    end_trace(&trace);
}

static void command_is_not_started_when_the_parent_dies(void **state)
{
    (void)state;
    struct trace trace;

    observe_true("the child ends without starting the command",
                 orphan_settles(&trace) == ENDED, "PTRACE_EVENT_EXEC");
    observe_true("the command did nothing", !file_exists("%s", trace.ran),
                 trace.ran);
    end_trace(&trace);
}

static const char *maps_of(pid_t pid)
{
    return text("uid_map \"%s\", gid_map \"%s\"",
                file_words("/proc/%d/uid_map", pid),
                file_words("/proc/%d/gid_map", pid));
}

/* One step of a parent so slow that its child gets as far as it can
 * between any two system calls.  False when the parent has no more to do. */
static bool slow_step(const struct trace *trace)
{
    int status;

    go_on(PTRACE_SYSCALL, trace->box, 0);
    for (struct pause p = pause_begin();; pause_next(&p, "the parent hangs")) {
        if (waitpid(trace->box, &status, WNOHANG | __WALL) == trace->box) {
            if (WIFSTOPPED(status) && WSTOPSIG(status) != (SIGTRAP | 0x80)) {
                go_on(PTRACE_SYSCALL, trace->box, status);
                continue;
            }
            return WIFSTOPPED(status);
        }
        long call = sleeps_in(trace->box);
        if (call == SYS_wait4 || call == SYS_waitid)
            return false;
    }
}

static void command_starts_only_after_both_maps(void **state)
{
    (void)state;
    struct trace trace = trace_box();

    go_on(PTRACE_CONT, trace.child, 0);
    enum settled child = settle(&trace);
    while (child == WAITS && slow_step(&trace))
        child = settle(&trace);
    if (child == WAITS) /* woken by the parent's last step */
        child = settle(&trace);
    if (child == STARTED) {
        const char *at_start = maps_of(trace.child);
        while (slow_step(&trace))
            ;
        observe_equal("the maps when the command was started are those that "
                      "there are in the end",
                      maps_of(trace.child), at_start,
                      text("/proc/%d/uid_map and gid_map", trace.child));
    }
    end_trace(&trace);
}

/* ---- the maps ------------------------------------------------------------- */

#define user_runs(...) user_runs_words(WORDS(__VA_ARGS__))
static struct outcome user_runs_words(const char *const words[])
{
    const char *argv[MAX_WORDS] = {reachable(box_words()[0])};

    for (size_t used = 1; *words; used++)
        argv[used] = *words++;
    become_user_next();
    return run_command(argv);
}

static struct probe *user_outside(void)
{
    const char *probe = reachable(probe_path());

    become_user_next();
    return probe_start((const char *const[]){probe, NULL});
}

static struct probe *user_inside(const char *uid, const char *gid)
{
    const char *box = reachable(box_words()[0]);
    const char *probe = reachable(probe_path());

    become_user_next();
    return probe_start((const char *const[]){box, "--uid", uid, "--gid", gid,
                                             "--", probe, NULL});
}

/* Is the box, at a stop before or after a system call, at write(2) to
 * this file of /proc/PID? */
static bool at_write_to(const struct trace *trace, const char *file)
{
    long call = -1;
    unsigned fd;
    char target[256];

    if (sscanf(file_text("/proc/%d/syscall", trace->box), "%ld %x", &call,
               &fd) != 2 ||
        call != SYS_write)
        return false;
    ssize_t length = readlink(text("/proc/%d/fd/%u", trace->box, fd), target,
                              sizeof(target) - 1);
    if (length == -1)
        return false;
    target[length] = '\0';
    const char *slash = strrchr(target, '/'); /* a pipe has none */
    return slash && strcmp(slash + 1, file) == 0;
}

static void setgroups_is_denied_before_the_group_map(void **state)
{
    (void)state;
    struct trace trace = trace_box(); /* whose child does not make a step */

    observe_equal("setgroups outside", "allow",
                  file_words("/proc/self/setgroups"), "/proc/self/setgroups");
    while (slow_step(&trace))
        if (at_write_to(&trace, "gid_map"))
            observe_equal("setgroups when the group map is written", "deny",
                          file_words("/proc/%d/setgroups", trace.child),
                          text("/proc/%d/setgroups", trace.child));
    end_trace(&trace);
}

/* What the parent has written to a map when it has done all that it does. */
static const char *map_in_the_end(const char *file)
{
    struct trace trace = trace_box(); /* whose child does not make a step */

    while (slow_step(&trace))
        ;
    const char *map = file_words("/proc/%d/%s", trace.child, file);
    end_trace(&trace);
    return map;
}

static void assert_kernel_takes(const char *file)
{
    struct outcome o = user_runs("--uid", "7", "--gid", "9", "--", "true");

    observe_lacks("the kernel takes the map", file, o.err, "the box's stderr");
}

static void user_map_is_as_asked(void **state)
{
    (void)state;
    assert_kernel_takes("uid_map");
    observe_equal("the user map: inside, outside, count",
                  text("7 %u 1", user_id()), map_in_the_end("uid_map"),
                  "/proc/PID/uid_map of the child");
}

static void group_map_is_as_asked(void **state)
{
    (void)state;
    assert_kernel_takes("gid_map");
    observe_equal("the group map: inside, outside, count",
                  text("9 %u 1", user_group()), map_in_the_end("gid_map"),
                  "/proc/PID/gid_map of the child");
}

static void command_has_the_ids_asked_for(void **state)
{
    (void)state;
    unsigned uid = user_id(), gid = user_group();
    struct probe *outside = user_outside();
    struct probe *root = user_inside("0", "0");
    struct probe *other = user_inside("7", "9");

    assert_answer(outside, text("ok %u", uid), "getuid"); /* control */
    assert_answer(root, "ok 0", "getuid");
    assert_answer(root, "ok 0", "getgid");
    assert_answer(other, "ok 7", "getuid");
    assert_answer(other, "ok 9", "getgid");
    assert_status_field(root, "Uid", text("%u %u %u %u", uid, uid, uid, uid));
    assert_status_field(root, "Gid", text("%u %u %u %u", gid, gid, gid, gid));
}

static void file_of_root_inside_is_the_callers_on_disk(void **state)
{
    (void)state;
    struct probe *outside = user_outside();
    struct probe *inside = user_inside("0", "0");
    const char *path = text("%s/file", scratch());
    struct stat st;

    assert_int_equal(chmod(scratch(), 0777), 0);
    assert_answer(inside, "ok", "write %s x", path);
    assert_answer(inside, "ok 0 0 644 file", "stat %s", path);
    assert_answer(outside, text("ok %u %u 644 file", user_id(), user_group()),
                  "stat %s", path); /* control */
    assert_int_equal(lstat(path, &st), 0);
    observe_equal("the owner and group on disk",
                  text("%u %u", user_id(), user_group()),
                  text("%u %u", st.st_uid, st.st_gid), path);
}

static void capabilities_count_only_inside(void **state)
{
    (void)state;
    struct probe *outside = user_outside();
    struct probe *inside = user_inside("0", "0");

    assert_only_own_namespaces(inside, "user");
    assert_answer(outside, "EPERM", "unshare uts"); /* control */
    assert_answer(inside, "EPERM", "sethostname ship");
    assert_answer(inside, "ok", "unshare uts");
    assert_answer(inside, "ok", "sethostname ship");
}

/* ---- what you are given, and must not lose ----------------------------------- */

static void exit_status_is_handed_on(void **state)
{
    (void)state;
    struct outcome own = user_runs("--", "sh", "-c", "exit 7");
    struct outcome killed = user_runs("--", "sh", "-c", "kill -TERM $$");
    struct outcome missing = user_runs("--", "/no/such/command");
    struct outcome cannot = user_runs("--", "/etc/passwd");

    assert_status(&own, 7);
    assert_status(&killed, 128 + SIGTERM);
    assert_status(&missing, 127);
    assert_one_line(&missing, "/no/such/command");
    assert_status(&cannot, 126);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    struct outcome number = user_runs("--uid", "4294967296", "--", "true");
    struct outcome word = user_runs("--gid", "x", "--", "true");
    struct outcome none = user_runs("--");

    assert_status(&number, 125);
    assert_one_line(&number, "not an id");
    assert_status(&word, 125);
    assert_one_line(&word, "not an id");
    assert_status(&none, 125);
    assert_one_line(&none, "COMMAND");
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_waits_while_its_parent_is_slow),
        cmocka_unit_test(child_does_not_hang_when_its_parent_dies),
        cmocka_unit_test(command_is_not_started_when_the_parent_dies),
        cmocka_unit_test(command_starts_only_after_both_maps),
        cmocka_unit_test(setgroups_is_denied_before_the_group_map),
        cmocka_unit_test(user_map_is_as_asked),
        cmocka_unit_test(group_map_is_as_asked),
        cmocka_unit_test(command_has_the_ids_asked_for),
        cmocka_unit_test(file_of_root_inside_is_the_callers_on_disk),
        cmocka_unit_test(capabilities_count_only_inside),
        cmocka_unit_test(exit_status_is_handed_on),
        cmocka_unit_test(bad_options_are_refused),
    };
    return witness_run(argc, argv, tests, AS_CALLER);
}
