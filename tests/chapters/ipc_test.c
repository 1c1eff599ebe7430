/*
 * ipc_test - what the box of chapter 01-ipc isolates, and what it does not.
 */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell script whose "$@" is the box under test. */
static struct outcome script(const char *lines)
{
    const char *argv[32] = {"sh", "-c", lines, "sh"};
    size_t used = 4;

    for (const char *const *word = box_words(); *word && used < 31; word++)
        argv[used++] = *word;
    return run_command(argv);
}

/* ---- what is its own, and what is inherited ------------------------------ */

static void of_all_namespaces_only_ipc_is_new(void **state)
{
    (void)state;
    assert_only_own_namespaces(probe_outside(), ""); /* control */
    assert_only_own_namespaces(probe_inside(), "ipc");
}

static void system_v_queue_made_outside_is_absent_inside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();
    struct probe *inside = probe_inside();

    assert_int_equal(ask_number(outside, "msg_create 42"), 0);
    assert_answer(other, "ok 0", "msg_open 42"); /* control */
    assert_answer(inside, "ENOENT", "msg_open 42");
}

static void posix_queue_made_outside_is_absent_inside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(outside, "ok", "mq_create /letter");
    assert_answer(other, "ok", "mq_open /letter"); /* control */
    assert_answer(inside, "ENOENT", "mq_open /letter");
}

static void queues_made_inside_are_absent_outside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(inside, "ok 0", "msg_create 42");
    assert_answer(inside, "ok", "mq_create /letter");
    assert_answer(inside, "ok 0", "msg_open 42"); /* control */
    assert_answer(inside, "ok", "mq_open /letter");
    assert_answer(outside, "ENOENT", "msg_open 42");
    assert_answer(outside, "ENOENT", "mq_open /letter");
}

static void one_key_names_two_queues(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(outside, "ok 0", "msg_create 42");
    assert_answer(outside, "EEXIST", "msg_create 42"); /* control */
    assert_answer(inside, "ok 0", "msg_create 42");
    assert_answer(outside, "ok", "msg_send 42 by-outside");
    assert_answer(inside, "ok", "msg_send 42 by-inside");
    assert_answer(outside, "ok by-outside", "msg_receive 42");
    assert_answer(inside, "ok by-inside", "msg_receive 42");
    assert_answer(outside, "ENOMSG", "msg_receive 42");
}

static void shared_memory_and_semaphores_are_absent_too(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(outside, "ok 0", "shm_create 42");
    assert_answer(outside, "ok 0", "sem_create 42");
    assert_answer(other, "ok 0", "shm_open 42"); /* control */
    assert_answer(other, "ok 0", "sem_open 42");
    assert_answer(inside, "ENOENT", "shm_open 42");
    assert_answer(inside, "ENOENT", "sem_open 42");
}

static void abstract_sockets_and_signals_still_cross(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();

    assert_answer(inside, "ECONNREFUSED", "connect post-office"); /* control */
    assert_answer(outside, "ok", "listen post-office");
    assert_answer(inside, "ok", "connect post-office");
    assert_answer(outside, "ok", "catch %d", SIGUSR1);
    assert_answer(outside, "ok 0", "caught"); /* control */
    assert_answer(inside, "ok", "kill %d %d", probe_pid(outside), SIGUSR1);
    wait_until(strcmp(ask(outside, "caught"), "ok 1") == 0,
               "the signal from inside did not arrive");
}

static void children_of_the_command_share_its_namespace(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();
    pid_t child = (pid_t)ask_number(inside, "spawn");

    observe_equal("a child by fork is in its parent's IPC namespace",
                  namespace_of(probe_pid(inside), "ipc"),
                  namespace_of(child, "ipc"), text("/proc/%d/ns/ipc", child));
    assert_own_namespace(inside, "ipc"); /* control */
}

static void box_in_a_box_is_a_third_namespace(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();
    struct probe *nested = probe_nested(2);

    assert_own_namespace(inside, "ipc");
    assert_own_namespace(nested, "ipc");
    observe_differs("two boxes do not share a namespace",
                    namespace_of(probe_pid(inside), "ipc"),
                    namespace_of(probe_pid(nested), "ipc"),
                    text("/proc/%d/ns/ipc", probe_pid(nested)));
}

/* ---- how long ------------------------------------------------------------- */

/*
 * Nobody can look into a namespace that is gone.  But POSIX queues have a
 * price: their bytes count against their owner's RLIMIT_MSGQUEUE, in every
 * namespace, and are given back only when the kernel frees the queue.
 */

static void write_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

/* Enters a user namespace: what is charged in there is counted apart from
 * whatever else this user has.  Nine queues of the usual size fit. */
static void count_queues_apart(void)
{
    const char *uid = text("%u %u 1", geteuid(), geteuid());
    const char *gid = text("%u %u 1", getegid(), getegid());
    struct rlimit limit = {.rlim_cur = 800000, .rlim_max = 800000};

    assert_int_equal(unshare(CLONE_NEWUSER), 0);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", uid);
    write_file("/proc/self/gid_map", gid);
    assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &limit), 0);
}

/* How many more queues does the kernel let this user have? */
static long room_for_queues(struct probe *probe)
{
    long room = 0;

    while (strcmp(ask(probe, "mq_create /room-%ld", room), "ok") == 0)
        room++;
    for (long i = 0; i < room; i++)
        ask(probe, "mq_unlink /room-%ld", i);
    return room;
}

static void queues_die_with_the_last_process(void **state)
{
    (void)state;
    count_queues_apart();
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();
    long room = room_for_queues(outside);

    observe_true("there is room for some queues", room >= 3, "mq_open(3)");
    assert_answer(inside, "ok", "mq_create /one");
    assert_answer(inside, "ok", "mq_create /two");
    /* control */
    observe_equal("queues inside are on the bill outside",
                  text("%ld", room - 2), text("%ld", room_for_queues(outside)),
                  "RLIMIT_MSGQUEUE");
    assert_int_equal(probe_end(inside), 0);
    wait_until(room_for_queues(outside) == room,
               "the queues were not freed with their namespace");
}

static void open_descriptor_keeps_the_namespace(void **state)
{
    (void)state;
    count_queues_apart();
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();
    long room = room_for_queues(outside);

    assert_answer(inside, "ok", "mq_create /one");
    assert_answer(inside, "ok 0", "msg_create 42");
    assert_answer(inside, "ok", "msg_send 42 still-here");
    int fd =
        open(text("/proc/%d/ns/ipc", probe_pid(inside)), O_RDONLY | O_CLOEXEC);
    assert_true(fd != -1);
    assert_int_equal(probe_end(inside), 0);

    const char *entrance = text("--ipc=/proc/%d/fd/%d", getpid(), fd);
    struct probe *again = probe_start(
        (const char *const[]){"nsenter", entrance, probe_path(), NULL});
    assert_answer(again, "ok still-here", "msg_receive 42");
    assert_answer(again, "ok", "mq_open /one");
    assert_int_equal(probe_end(again), 0);

    observe_equal("with no process left, its queue is on the bill",
                  text("%ld", room - 1), text("%ld", room_for_queues(outside)),
                  "RLIMIT_MSGQUEUE");
    close(fd);
    wait_until(room_for_queues(outside) == room,
               "the queue was not freed when the descriptor was closed");
}

/* ---- the demo ------------------------------------------------------------- */

static void demo_tells_the_story(void **state)
{
    (void)state;
    const char *const story[] = {
        "p1 outside | makes queue 42 and queue /letter\n"
        "p2 inside  | queue 42: No such file or directory\n"
        "p2 inside  | queue /letter: No such file or directory\n"
        "p2 inside  | makes queue 42 and queue /letter\n"
        "p2 inside  | cgroup:[",
        "p1 outside | p2 has exited; its letter: \"hello from p2\"\n"
        "p1 inside  | queue 42: here\n"
        "p1 inside  | queue /letter: here\n",
        text("p2 inside  | %-20s the same\n", namespace_of(getpid(), "uts")),
    };
    struct outcome demo = box_run_words((const char *const[]){NULL});

    assert_status(&demo, 0);
    for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++)
        observe_contains("the demo tells it", story[i], demo.out, "stdout");
    observe_lacks("stdio's buffer is not printed twice", "makes queue",
                  strstr(demo.out, "cgroup:["), "stdout");
    const char *line = strstr(demo.out, "p2 inside  | ipc:[");
    assert_non_null(line);
    observe_lacks("of the namespaces, ipc is not the same", "the same",
                  text("%.*s", (int)strcspn(line, "\n"), line), "stdout");
}

static void demo_leaves_no_queue_outside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();

    struct outcome demo = script("exec \"$@\"");

    assert_status(&demo, 0);
    assert_answer(outside, "ENOENT", "msg_open 42");
    assert_answer(outside, "ENOENT", "mq_open /letter");
    assert_answer(outside, "ok 0", "msg_create 42"); /* control */
    assert_answer(outside, "ok 0", "msg_open 42");
}

/* A pipe with no room left: who writes to it stands still. */
static void full_pipe(int ends[2])
{
    static const char page[4096];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], page, sizeof(page)) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
}

/* The only child of PID, once it stands in the system call NUMBER; 0
 * until then. */
static pid_t child_in_call(pid_t pid, long number)
{
    const char *call = text("%ld ", number);
    pid_t child = atoi(file_text("/proc/%d/task/%d/children", pid, pid));

    if (child == 0)
        return 0;
    const char *seen = file_text("/proc/%d/syscall", child);
    return strncmp(seen, call, strlen(call)) == 0 ? child : 0;
}

/* The demo is killed at its first line, when its queues are made.  That no
 * process is left is seen by the census. */
static void demo_that_is_killed_leaves_nothing(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    int ends[2], status;
    pid_t child;

    full_pipe(ends);
    pid_t box = fork();
    if (box == 0) {
        dup2(ends[1], 1);
        execvp(box_words()[0], (char *const *)box_words());
        _exit(127);
    }
    close(ends[1]);
    wait_until((child = child_in_call(box, SYS_write)) != 0,
               "the demo did not write its first line");
    assert_string_not_equal(namespace_of(child, "ipc"),
                            namespace_of(getpid(), "ipc"));
    assert_int_equal(kill(box, SIGKILL), 0);
    assert_int_equal(waitpid(box, &status, 0), box);
    assert_answer(outside, "ENOENT", "msg_open 42");
    assert_answer(outside, "ENOENT", "mq_open /letter");
    close(ends[0]); /* SIGPIPE for who is left */
}

/* ---- the box convention ---------------------------------------------------- */

static void exit_status_is_the_commands_own(void **state)
{
    (void)state;
    for (int status = 0; status < 256; status += 51) {
        const char *line = text("exit %d", status);
        struct outcome run = box_run("--", "sh", "-c", line);
        assert_status(&run, status);
        run = box_run("sh", "-c", line); /* "--" may be left out */
        assert_status(&run, status);
    }
}

static void signal_n_is_reported_as_128_plus_n(void **state)
{
    (void)state;
    struct outcome term = box_run("--", "sh", "-c", "kill -TERM $$");
    struct outcome kill = box_run("--", "sh", "-c", "kill -KILL $$");

    assert_status(&term, 128 + SIGTERM);
    assert_status(&kill, 128 + SIGKILL);
}

static void missing_command_is_127(void **state)
{
    (void)state;
    struct outcome run = box_run("--", text("%s/missing", scratch()));

    assert_status(&run, 127);
    assert_one_line(&run, "/missing: No such file or directory");
}

static void command_that_cannot_be_executed_is_126(void **state)
{
    (void)state;
    struct outcome run = box_run("--", scratch());

    assert_status(&run, 126);
    assert_one_line(&run, "Permission denied");
}

static void help_goes_to_stdout(void **state)
{
    (void)state;
    struct outcome run = box_run("--help");

    assert_status(&run, 0);
    observe_contains("help says how to call it", "usage: ", run.out, "stdout");
    observe_equal("nothing is an error", "", run.err, "stderr");
}

static void usage_error_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome unknown = box_run("--bogus", "true");
    struct outcome letter = box_run("-x");

    assert_status(&unknown, 125);
    assert_one_line(&unknown, "--bogus");
    assert_status(&letter, 125);
    assert_one_line(&letter, "'x'");
}

static void options_of_the_command_are_its_own(void **state)
{
    (void)state;
    struct outcome run = box_run("echo", "--help", "--", "-x");

    assert_status(&run, 0);
    observe_equal("the command has all its words", "--help -- -x",
                  squeeze(run.out), "stdout");
}

static void without_privilege_the_remedy_is_named(void **state)
{
    (void)state;
    static const char without[] =
        "exec setpriv --bounding-set -sys_admin \"$@\" -- true";
    struct outcome with = box_run("--", "true");
    struct outcome demo = script("setpriv --bounding-set -sys_admin \"$@\"");
    struct outcome run = script(without);

    assert_status(&with, 0); /* control */
    assert_status(&run, 125);
    assert_one_line(&run, "clone(CLONE_NEWIPC): Operation not permitted");
    assert_one_line(&run, "run as root, or under \"unshare -Ur\"");
    assert_status(&demo, 125);
    assert_one_line(&demo, "unshare -Ur");
}

/* In a user namespace of its own, where one may set the limit. */
static void no_more_namespaces_is_one_line_and_125(void **state)
{
    (void)state;
    static const char limited[] =
        "exec unshare --user --map-root-user sh -c 'echo %d "
        ">/proc/sys/user/max_ipc_namespaces && exec \"$@\"' sh \"$@\"";
    struct outcome one = script(text("%s -- true", text(limited, 1)));
    struct outcome none = script(text("%s -- true", text(limited, 0)));
    struct outcome demo = script(text(limited, 1)); /* it needs two */

    assert_status(&one, 0); /* control */
    assert_status(&none, 125);
    assert_one_line(&none, "clone(CLONE_NEWIPC)");
    assert_status(&demo, 125);
    assert_one_line(&demo, "clone(CLONE_NEWIPC)");
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    (void)state;
    for (int fd = 0; fd <= 2; fd++) {
        struct outcome demo = script(text("exec \"$@\" %d>&-", fd));
        assert_status(&demo, 0);
        struct outcome run = script(text(
            "exec \"$@\" -- sh -c 'test -c /proc/self/fd/%d && exit 3' %d>&-",
            fd, fd));
        assert_status(&run, 3);
    }
    struct outcome none = script("exec \"$@\" 0<&- 1>&- 2>&-");
    assert_status(&none, 0);
}

static void full_disk_under_stdout_is_told(void **state)
{
    (void)state;
    struct outcome demo = script("exec \"$@\" >/dev/full");
    struct outcome help = script("exec \"$@\" --help >/dev/full");

    assert_status(&demo, 125);
    assert_one_line(&demo, "No space left on device");
    assert_status(&help, 125);
    assert_one_line(&help, "No space left on device");
}

static void ignored_sigchld_does_not_lose_the_status(void **state)
{
    (void)state;
    struct outcome run = script("trap '' CHLD; \"$@\" -- sh -c 'exit 3'");

    assert_status(&run, 3);
}

static void interrupt_is_for_the_command(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();
    pid_t box = probe_box_pid(inside);

    /* SIGINT and SIGQUIT are bits 1 and 2 of a mask in hexadecimal. */
    wait_until((strtoul(status_field(box, "SigIgn"), NULL, 16) & 6) == 6,
               "the box does not ignore SIGINT and SIGQUIT");
    unsigned long command =
        strtoul(status_field(probe_pid(inside), "SigIgn"), NULL, 16);
    assert_int_equal(command & 6, 0); /* control */
    assert_int_equal(kill(box, SIGINT), 0);
    assert_answer(inside, text("ok %d", probe_pid(inside)), "getpid");
    assert_int_equal(probe_end(inside), 0);
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_all_namespaces_only_ipc_is_new),
        cmocka_unit_test(system_v_queue_made_outside_is_absent_inside),
        cmocka_unit_test(posix_queue_made_outside_is_absent_inside),
        cmocka_unit_test(queues_made_inside_are_absent_outside),
        cmocka_unit_test(one_key_names_two_queues),
        cmocka_unit_test(shared_memory_and_semaphores_are_absent_too),
        cmocka_unit_test(abstract_sockets_and_signals_still_cross),
        cmocka_unit_test(children_of_the_command_share_its_namespace),
        cmocka_unit_test(box_in_a_box_is_a_third_namespace),
        cmocka_unit_test(queues_die_with_the_last_process),
        cmocka_unit_test(open_descriptor_keeps_the_namespace),
        cmocka_unit_test(demo_tells_the_story),
        cmocka_unit_test(demo_leaves_no_queue_outside),
        cmocka_unit_test(demo_that_is_killed_leaves_nothing),
        cmocka_unit_test(exit_status_is_the_commands_own),
        cmocka_unit_test(signal_n_is_reported_as_128_plus_n),
        cmocka_unit_test(missing_command_is_127),
        cmocka_unit_test(command_that_cannot_be_executed_is_126),
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(usage_error_is_one_line_and_125),
        cmocka_unit_test(options_of_the_command_are_its_own),
        cmocka_unit_test(without_privilege_the_remedy_is_named),
        cmocka_unit_test(no_more_namespaces_is_one_line_and_125),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(full_disk_under_stdout_is_told),
        cmocka_unit_test(ignored_sigchld_does_not_lose_the_status),
        cmocka_unit_test(interrupt_is_for_the_command),
    };
    return witness_run(argc, argv, tests, AS_ROOT);
}
