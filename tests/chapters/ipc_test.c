/*
 * ipc_test - what the box of chapter 01-ipc isolates, and what it does not.
 */
#include "witness.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* Become the only user whose queues are counted: in a user namespace of
 * our own they are counted apart. */
static void count_queues_apart(void)
{
    const char *map = text("%u %u 1", geteuid(), geteuid());
    struct rlimit limit = {.rlim_cur = 500000, .rlim_max = 500000};

    assert_int_equal(unshare(CLONE_NEWUSER), 0);
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, map, strlen(map)), strlen(map));
    close(fd);
    assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &limit), 0);
}

/* region: room */
/* How many more queues does the kernel let this user have? */
static long room_for_queues(struct probe *probe)
{
    long room = 0;

    while (strcmp(ask(probe, "mq_create /room-%ld", room), "ok") == 0)
        room++;
    for (long i = 0; i < room; i++)
        assert_answer(probe, "ok", "mq_unlink /room-%ld", i);
    return room;
}
/* endregion: room */

static void queues_die_with_the_last_process(void **state)
{
    (void)state;
    count_queues_apart();
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside();
    long room = room_for_queues(outside);

    assert_true(room >= 3);
    assert_answer(inside, "ok", "mq_create /one");
    assert_answer(inside, "ok", "mq_create /two");
    assert_int_equal(room_for_queues(outside), room - 2); /* control */
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
    int fd = open(text("/proc/%d/ns/ipc", probe_pid(inside)),
                  O_RDONLY | O_CLOEXEC);
    assert_true(fd != -1);
    assert_int_equal(probe_end(inside), 0);

    const char *entrance = text("--ipc=/proc/%d/fd/%d", getpid(), fd);
    struct probe *again = probe_start(
        (const char *const[]){"nsenter", entrance, probe_path(), NULL});
    assert_answer(again, "ok still-here", "msg_receive 42");
    assert_answer(again, "ok", "mq_open /one");
    assert_int_equal(probe_end(again), 0);

    assert_int_equal(room_for_queues(outside), room - 1);
    close(fd);
    wait_until(room_for_queues(outside) == room,
               "the queue was not freed when the descriptor was closed");
}

/* ---- the demo ------------------------------------------------------------- */

static void demo_tells_the_story(void **state)
{
    (void)state;
    static const char *const story[] = {
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

    assert_status(&(struct outcome){.status = script("\"$@\"").status}, 0);
    assert_answer(outside, "ENOENT", "msg_open 42");
    assert_answer(outside, "ENOENT", "mq_open /letter");
    assert_answer(outside, "ok 0", "msg_create 42"); /* control */
    assert_answer(outside, "ok 0", "msg_open 42");
}

/* The demo stands still at its first line, in a pipe that is full; there it
 * is killed.  The census sees that no process is left. */
static void demo_that_is_killed_leaves_nothing(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct outcome killed = script(
        "mkfifo \"$0.fifo\" 2>/dev/null; exec 3>&1\n"
        "{ exec 3>&-; \"$@\" & kill -KILL $!; wait $!; echo $? >&2; } |\n"
        "cat >/dev/null");

    observe_equal("the box was killed", "137", squeeze(killed.err),
                  "its exit status");
    assert_answer(outside, "ENOENT", "msg_open 42");
    assert_answer(outside, "ENOENT", "mq_open /letter");
}
