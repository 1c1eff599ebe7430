/*
 * preflight_lab_test - does the probe of the time namespace find out by doing?
 *
 * Where a kernel or an outer container would refuse, this program stands in,
 * as the tests start it:
 *
 *     preflight_lab_test --refuse ERRNO COMMAND...   unshare(CLONE_NEWTIME)
 *     preflight_lab_test --harmless COMMAND...       a filter that refuses none
 *
 * The order of the tests: first that the answer is right, then that no trace
 * is left, then each layer's name.
 */
#include "witness.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILTER_FAILED = 124 };

/* Runs a command under a filter whose verdict on unshare(CLONE_NEWTIME) is
 * ACTION.  (clone3 is refused whole, as filters must: they cannot read what
 * its argument points to.) */
static int under_filter(unsigned action, char *command[])
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, action),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == -1)
        err(FILTER_FAILED, "seccomp");
    execvp(command[0], command);
    err(FILTER_FAILED, "%s", command[0]);
}

/* Runs a shell script; "$@" is the box, $T this program. */
static struct outcome script(const char *lines)
{
    static char own[PATH_MAX];
    const char *argv[32] = {"sh", "-c", NULL, "sh", own};
    size_t used = 5;

    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    assert_true(length > 0);
    argv[2] = text("export T=\"$1\"; shift; %s", lines);
    for (const char *const *word = box_words(); *word && used < 31; word++)
        argv[used++] = *word;
    return run_command(argv);
}

/* Inside a user namespace of its own, where counts may be changed. */
#define WITH_COUNT(kind, count)                                   \
    "unshare -Ur sh -c 'echo " count " >/proc/sys/user/max_" kind \
    "_namespaces; exec \"$@\"' sh \"$@\""
#define WITHOUT_PRIVILEGE "setpriv --bounding-set -all --inh-caps -all "

static void assert_says(const char *lines, const char *line)
{
    struct outcome seen = script(lines);

    observe_contains("a line of the report", line,
                     text("%s ", squeeze(seen.out)),
                     text("%s (%s)", lines, seen.err));
}

static bool machine_can(void)
{
    struct outcome tried = script("unshare -T --boottime 100000 true");
    return tried.status == 0;
}

static void needs_time_namespaces(void)
{
    skip_unless(machine_can(), "no-time-namespace",
                "this kernel makes no time namespace",
                "Linux 5.6 or newer, or the lab machine (make test-vm)");
}

/* ---- the answer, and no trace --------------------------------------------- */

static void report_agrees_with_a_direct_attempt(void **state)
{
    (void)state;
    assert_says("\"$@\"", "uts yes ipc yes"); /* control: what was given */
    if (machine_can())
        assert_says("\"$@\"", "time yes ");
    else
        assert_says("\"$@\"", "time no ");
}

static void prober_stays_in_its_own_namespaces(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();

    assert_only_own_namespaces(outside, ""); /* control */
    assert_only_own_namespaces(inside, "");
    observe_equal("the time namespace for children",
                  text("%s", ask(outside, "readlink "
                                          "/proc/self/ns/time_for_children")),
                  ask(inside, "readlink /proc/self/ns/time_for_children"),
                  "/proc/self/ns/time_for_children");
    assert_answer(inside, "ok outside", "hostname");
}

static void no_child_is_left_behind(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();

    /* The command has what the prober left: it was exec'ed in its place. */
    long spawned = ask_number(outside, "spawn"); /* control: one is seen */
    observe_equal("children of a process that has one", text("%ld", spawned),
                  file_words("/proc/%d/task/%d/children", probe_pid(outside),
                             probe_pid(outside)),
                  "/proc/PID/task/PID/children");
    observe_equal("children that the prober left", "",
                  file_words("/proc/%d/task/%d/children", probe_pid(inside),
                             probe_pid(inside)),
                  "/proc/PID/task/PID/children");
}

/* ---- each layer's name ------------------------------------------------------ */

static void used_up_count_is_named(void **state)
{
    (void)state;
    needs_time_namespaces();
    assert_says(WITH_COUNT("time", "10"), "time yes "); /* control */
    assert_says(WITH_COUNT("time", "0"), "time no count ");
}

static void read_only_proc_is_named(void **state)
{
    (void)state;
    needs_time_namespaces();
    assert_says("unshare -m \"$@\"", "time yes "); /* control */
    assert_says("unshare -m sh -c 'mount -o remount,bind,ro /proc &&"
                " exec \"$@\"' sh \"$@\"",
                "time no proc ");
}

static void kernel_without_time_namespaces_is_named(void **state)
{
    (void)state;
    assert_says("\"$T\" --refuse EINVAL \"$@\"", "time no kernel ");
}

static void outer_filter_is_named(void **state)
{
    (void)state;
    assert_says("\"$T\" --refuse EPERM \"$@\"", "time no filter ");
}

static void missing_privilege_is_named(void **state)
{
    (void)state;
    assert_says(WITHOUT_PRIVILEGE "\"$@\"", "time no privilege ");
}

static void harmless_filter_is_not_blamed(void **state)
{
    (void)state;
    needs_time_namespaces();
    assert_says("\"$T\" --harmless \"$@\"", "time yes "); /* control */
    assert_says(WITHOUT_PRIVILEGE "\"$T\" --harmless \"$@\"",
                "time no privilege ");
}

static void strange_errno_is_called_unknown(void **state)
{
    (void)state;
    assert_says("\"$T\" --refuse ENOMEM \"$@\"", "time no unknown ");
}

static void exit_status_tells_whether_all_works(void **state)
{
    (void)state;
    struct outcome refused = script("\"$T\" --refuse EPERM \"$@\"");

    assert_status(&refused, 1);
    if (machine_can()) {
        struct outcome plain = box_run_words((const char *const[]){NULL});
        assert_status(&plain, 0);
    }
}

static void command_runs_and_hands_on_its_status(void **state)
{
    (void)state;
    struct outcome seven = box_run("--", "sh", "-c", "exit 7");
    struct outcome missing = box_run("--", "/no/such/command");
    struct outcome directory = box_run("--", "/");

    assert_status(&seven, 7);
    observe_contains("the report", "time ", seven.err, "stderr");
    assert_status(&missing, 127);
    assert_status(&directory, 126);
}

static void usage_error_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome unknown = box_run("--no-such-option");

    assert_status(&unknown, 125);
    assert_one_line(&unknown, "usage:");
}

/* --refuse ERRNO COMMAND..., --harmless COMMAND... */
static int stand_in(int argc, char *argv[])
{
    if (strcmp(argv[1], "--harmless") == 0)
        return under_filter(SECCOMP_RET_ALLOW, argv + 2);
    for (int error = 1; error < 134 && argc > 3; error++)
        if (strcmp(strerrorname_np(error) ? strerrorname_np(error) : "",
                   argv[2]) == 0)
            return under_filter(SECCOMP_RET_ERRNO | (unsigned)error, argv + 3);
    return FILTER_FAILED;
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_agrees_with_a_direct_attempt),
        cmocka_unit_test(prober_stays_in_its_own_namespaces),
        cmocka_unit_test(no_child_is_left_behind),
        cmocka_unit_test(used_up_count_is_named),
        cmocka_unit_test(read_only_proc_is_named),
        cmocka_unit_test(kernel_without_time_namespaces_is_named),
        cmocka_unit_test(outer_filter_is_named),
        cmocka_unit_test(missing_privilege_is_named),
        cmocka_unit_test(harmless_filter_is_not_blamed),
        cmocka_unit_test(strange_errno_is_called_unknown),
        cmocka_unit_test(exit_status_tells_whether_all_works),
        cmocka_unit_test(command_runs_and_hands_on_its_status),
        cmocka_unit_test(usage_error_is_one_line_and_125),
    };
    if (argc > 2 && (strcmp(argv[1], "--refuse") == 0 ||
                     strcmp(argv[1], "--harmless") == 0))
        return stand_in(argc, argv);
    return witness_run(argc, argv, tests, AS_ROOT);
}
