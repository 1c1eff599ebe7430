/*
 * ipc_lab_test - a box with its own IPC and UTS namespaces.
 *
 * The order matters: the first test that fails names the mistake.
 */
#include "witness.h"

#include <signal.h>
#include <string.h>

/* ---- fork_into_box ---------------------------------------------------------- */

static void box_has_its_own_ipc_namespace(void **state)
{
    (void)state;
    assert_shared_namespace(probe_outside(), "ipc"); /* control */
    assert_own_namespace(probe_inside(), "ipc");
}

static void box_has_its_own_uts_namespace(void **state)
{
    (void)state;
    assert_shared_namespace(probe_outside(), "uts"); /* control */
    assert_own_namespace(probe_inside(), "uts");
}

static void all_other_namespaces_are_shared(void **state)
{
    (void)state;
    assert_only_own_namespaces(probe_inside(), "ipc uts");
}

static void queues_outside_are_absent_inside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(outside, "ok 0", "msg_create 42");
    assert_answer(outside, "ok", "mq_create /letter");
    assert_answer(other, "ok 0", "msg_open 42"); /* control */
    assert_answer(other, "ok", "mq_open /letter");
    assert_answer(inside, "ENOENT", "msg_open 42");
    assert_answer(inside, "ENOENT", "mq_open /letter");
}

static void queues_inside_are_absent_outside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(inside, "ok 0", "msg_create 42");
    assert_answer(inside, "ok 0", "msg_open 42"); /* control */
    assert_answer(outside, "ENOENT", "msg_open 42");
}

static void rename_inside_leaves_outside_unchanged(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();
    const char *before = ask(outside, "hostname");

    assert_answer(inside, before, "hostname"); /* a copy to begin with */
    assert_answer(inside, "ok", "sethostname renamed");
    assert_answer(inside, "ok renamed", "hostname"); /* control */
    assert_answer(outside, before, "hostname");
}

/* ---- exit_status ---------------------------------------------------------- */

/* With a command that is not there, because execve(2) would give a child
 * without SIGCHLD that signal after all: with true, it is a race. */
static void waitpid_finds_the_child(void **state)
{
    (void)state;
    struct outcome fails = box_run("--", text("%s/missing", scratch()));
    struct outcome runs = box_run("--", "true");

    observe_lacks("who waits has a child to wait for", "No child processes",
                  fails.err, "the box's stderr");
    assert_status(&runs, 0);
    observe_equal("there is nothing to complain of", "", runs.err, "stderr");
}

static void exit_status_is_the_commands_own(void **state)
{
    (void)state;
    struct outcome seven = box_run("--", "sh", "-c", "exit 7");
    struct outcome most = box_run("sh", "-c", "exit 255");

    assert_status(&seven, 7);
    assert_status(&most, 255);
}

static void signal_n_is_reported_as_128_plus_n(void **state)
{
    (void)state;
    struct outcome term = box_run("--", "sh", "-c", "kill -TERM $$");
    struct outcome kill = box_run("--", "sh", "-c", "kill -KILL $$");

    assert_status(&term, 128 + SIGTERM);
    assert_status(&kill, 128 + SIGKILL);
}

/* ---- be_inside ------------------------------------------------------------ */

static void missing_command_is_127_and_one_line(void **state)
{
    (void)state;
    struct outcome run = box_run("--", text("%s/missing", scratch()));

    assert_status(&run, 127);
    assert_one_line(&run, "No such file or directory");
}

static void command_that_cannot_be_executed_is_126(void **state)
{
    (void)state;
    struct outcome run = box_run("--", scratch());

    assert_status(&run, 126);
    assert_one_line(&run, "Permission denied");
}

static void hostname_option_names_the_inside(void **state)
{
    (void)state;
    const char *before = ask(probe_outside(), "hostname");

    assert_answer(probe_inside(), before, "hostname"); /* control */
    assert_answer(probe_inside("--hostname", "ship"), "ok ship", "hostname");
}

static void hostname_option_leaves_outside_unchanged(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    const char *before = ask(outside, "hostname");
    struct probe *inside = probe_inside("--hostname", "ship");

    assert_answer(inside, "ok ship", "hostname"); /* control */
    assert_answer(outside, before, "hostname");
}

/* 64 bytes are the most that sethostname(2) takes. */
static void long_hostname_is_set_whole(void **state)
{
    (void)state;
    char name[65] = "";

    memset(name, 'n', 64);
    assert_answer(probe_inside("--hostname", "nineteen-characters"),
                  "ok nineteen-characters", "hostname");
    assert_answer(probe_inside("--hostname", name), text("ok %s", name),
                  "hostname");
}

static void hostname_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char name[66] = "";

    memset(name, 'n', 65);
    struct outcome run = box_run("--hostname", name, "--", "echo", "ran");
    assert_status(&run, 125);
    assert_one_line(&run, "Invalid argument");
    observe_equal("the command did not run", "", run.out, "stdout");
}

/* ---- what was written for you ---------------------------------------------- */

static void bad_usage_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome none = box_run_words((const char *const[]){NULL});
    struct outcome unknown = box_run("--bogus", "true");

    assert_status(&none, 125);
    assert_one_line(&none, "usage: ");
    assert_status(&unknown, 125);
    assert_one_line(&unknown, "--bogus");
}

static void without_privilege_the_remedy_is_named(void **state)
{
    (void)state;
    const char *argv[32] = {"setpriv", "--bounding-set", "-sys_admin"};
    size_t used = 3;

    for (const char *const *word = box_words(); *word && used < 30; word++)
        argv[used++] = *word;
    argv[used] = "true";
    struct outcome run = run_command(argv);
    assert_status(&run, 125);
    assert_one_line(&run, "run as root, or under \"unshare -Ur\"");
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_has_its_own_ipc_namespace),
        cmocka_unit_test(box_has_its_own_uts_namespace),
        cmocka_unit_test(all_other_namespaces_are_shared),
        cmocka_unit_test(queues_outside_are_absent_inside),
        cmocka_unit_test(queues_inside_are_absent_outside),
        cmocka_unit_test(rename_inside_leaves_outside_unchanged),
        cmocka_unit_test(waitpid_finds_the_child),
        cmocka_unit_test(exit_status_is_the_commands_own),
        cmocka_unit_test(signal_n_is_reported_as_128_plus_n),
        cmocka_unit_test(missing_command_is_127_and_one_line),
        cmocka_unit_test(command_that_cannot_be_executed_is_126),
        cmocka_unit_test(hostname_option_names_the_inside),
        cmocka_unit_test(hostname_option_leaves_outside_unchanged),
        cmocka_unit_test(long_hostname_is_set_whole),
        cmocka_unit_test(hostname_that_is_too_long_is_refused),
        cmocka_unit_test(bad_usage_is_one_line_and_125),
        cmocka_unit_test(without_privilege_the_remedy_is_named),
    };
    return witness_run(argc, argv, tests, AS_ROOT);
}
