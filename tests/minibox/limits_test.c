/*
 * limits_test.c - minibox run --memory, --pids: by control groups of version
 * 1, of version 2, or of both.
 *
 * An ordinary user needs a delegated group for it.
 */
#include "witness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

/* ---- helpers ---------------------------------------------------------- */

/* A tree, when limits can be set at all. */
static const char *tree_for_limits(const char *name)
{
    const char *tree = tree_with_shell(name);

    if (calling_user() != 0) {
        struct outcome o =
            box_run("run", "--memory", "64M", "--pids", "64", tree, "/probe");
        if (o.status == 125)
            skip_unless(false, "no-delegation", squeeze(o.err),
                        "run in a group of your own: systemd-run --user "
                        "--scope -p Delegate=yes ...");
    }
    return tree;
}

/* The path of PID's group for CONTROLLER; *version is 1 or 2. */
static const char *group_of(pid_t pid, const char *controller, int *version)
{
    char *lines = strdup(file_text("/proc/%d/cgroup", (int)pid));
    const char *unified = NULL, *own = NULL;

    for (char *rest = lines, *line; (line = strsep(&rest, "\n")) && *line;) {
        (void)strsep(&line, ":");
        const char *list = strsep(&line, ":");
        if (strcmp(list, controller) == 0)
            own = text("%s", line);
        else if (*list == '\0')
            unified = text("%s", line);
    }
    free(lines);
    *version = own ? 1 : 2;
    return own ? own : unified;
}

/* The directory in which the limits of PID's group are. */
static const char *limits_of(pid_t pid, const char *controller)
{
    int version;
    const char *path = group_of(pid, controller, &version);

    if (version == 1)
        return text("/sys/fs/cgroup/%s%s", controller, path);
    const char *mount = file_exists("/sys/fs/cgroup/unified")
                            ? "/sys/fs/cgroup/unified"
                            : "/sys/fs/cgroup";
    observe_contains("the container is in the inner group", "/box", path,
                     "/proc/PID/cgroup");
    return text("%s%.*s", mount, (int)(strlen(path) - strlen("/box")), path);
}

/* A killed supervisor cannot remove its groups (the next one does): so each
 * test says good-bye to those that still run. */
static void end_well(struct probe *probe)
{
    observe_equal("the box ends well", "0", text("%d", probe_end(probe)),
                  "exit status");
}

static bool has_version_1(void)
{
    return file_exists("/sys/fs/cgroup/memory/cgroup.procs");
}

/* ---- what is limited -------------------------------------------------- */

static void no_limit_makes_no_group(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));

    observe_equal("the container is in the caller's groups",
                  file_text("/proc/self/cgroup"),
                  file_text("/proc/%d/cgroup", (int)probe_pid(inside)),
                  "/proc/PID/cgroup");
}

static void memory_limit_is_set_and_swap_is_off(void **state)
{
    (void)state;
    struct probe *inside =
        probe_inside("run", "--memory", "32M", tree_for_limits("root"));
    const char *group = limits_of(probe_pid(inside), "memory");

    if (has_version_1()) {
        observe_equal("memory", "33554432",
                      file_words("%s/memory.limit_in_bytes", group), group);
        if (file_exists("%s/memory.memsw.limit_in_bytes", group))
            observe_equal("memory and swap", "33554432",
                          file_words("%s/memory.memsw.limit_in_bytes", group),
                          group);
    } else {
        observe_equal("memory", "33554432", file_words("%s/memory.max", group),
                      group);
        if (file_exists("%s/memory.swap.max", group))
            observe_equal("swap", "0", file_words("%s/memory.swap.max", group),
                          group);
    }
    end_well(inside);
}

static void memory_bomb_is_killed_and_told(void **state)
{
    (void)state;
    const char *tree = tree_for_limits("root");
    struct probe *free = probe_inside("run", tree);
    struct probe *sibling = probe_inside("run", "--memory", "128M", tree);
    struct probe *bomb = probe_inside("run", "--memory", "16M", tree);

    assert_answer(free, "ok", "alloc 64M");
    tell(bomb, "alloc 64M");
    observe_true("the bomb is gone", hear(bomb) == NULL, "the probe");
    observe_equal("128 + SIGKILL", "137", text("%d", probe_wait(bomb)),
                  "exit status");
    observe_equal("minibox says why", "minibox: out of memory (limit 16M)\n",
                  probe_stderr(bomb), "stderr");
    assert_answer(sibling, "ok", "alloc 64M");
    end_well(sibling);
}

static void child_killed_for_memory_is_told_too(void **state)
{
    (void)state;
    struct outcome o =
        box_run("run", "--memory", "16M", tree_for_limits("root"), "sh", "-c",
                "sh -c 'x=a; while :; do x=$x$x; done'; exit 3");

    assert_status(&o, 3);
    observe_contains("minibox says why", "minibox: out of memory (limit 16M)",
                     o.err, "stderr");
}

static void processes_are_exactly_as_many(void **state)
{
    (void)state;
    const char *tree = tree_for_limits("root");
    struct probe *inside = probe_inside("run", "--pids", "10", tree);
    struct probe *free = probe_inside("run", tree);

    /* Init and the probe are two of the ten. */
    assert_answer(inside, "ok 8 EAGAIN", "fork 100");
    observe_equal("the group counts ten", "10",
                  file_words("%s/pids.current",
                             limits_of(probe_pid(inside), "pids")),
                  "pids.current");
    assert_answer(inside, "EAGAIN", "spawn");
    end_well(inside);
    assert_answer(free, "ok 100", "fork 100");
}

static void both_limits_hold_together(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", "--pids=10", "--memory=16M",
                                        tree_for_limits("root"));

    assert_answer(inside, "ok 8 EAGAIN", "fork 100");
    tell(inside, "alloc 64M");
    observe_true("the bomb is gone", hear(inside) == NULL, "the probe");
    observe_equal("128 + SIGKILL", "137", text("%d", probe_wait(inside)),
                  "exit status");
}

/* ---- out of reach ----------------------------------------------------- */

static void path_of_the_group_is_hidden(void **state)
{
    (void)state;
    struct probe *inside =
        probe_inside("run", "--pids", "10", tree_for_limits("root"));

    observe_contains("control: from outside it can be seen", "minibox-",
                     file_text("/proc/%d/cgroup", (int)probe_pid(inside)),
                     "/proc/PID/cgroup");
    observe_lacks("from inside not", "minibox-",
                  ask(inside, "read /proc/self/cgroup"),
                  "inside: /proc/self/cgroup");
    end_well(inside);
}

/* Root inside may mount the groups that it stands in. */
static void limits_cannot_be_lifted_inside(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", "--memory", "32M", "--pids",
                                        "10", tree_for_limits("root"));
    const char *pids = limits_of(probe_pid(inside), "pids");

    assert_answer(probe_outside(), "ok", "open %s/pids.max rw", pids);
    assert_answer(inside, "ok", "mkdir /tmp/groups");
    if (has_version_1()) {
        ask(inside, "mount none /tmp/groups cgroup 0 pids");
    } else {
        assert_answer(inside, "ok", "mount none /tmp/groups cgroup2");
        observe_lacks("the group of the limits is not in view", "pids.max",
                      ask(inside, "ls /tmp/groups"), "inside: cgroup2");
        /* A user's container owns its group, and may make more below. */
        ask(inside, "mkdir /tmp/groups/one");
        ask(inside, "mkdir /tmp/groups/one/two");
    }
    observe_differs("no limit can be written", "ok",
                    ask(inside, "write /tmp/groups/pids.max max"),
                    "inside: pids.max");
    observe_equal("the limit stands", "10", file_words("%s/pids.max", pids),
                  pids);
    assert_answer(inside, "ok 8 EAGAIN", "fork 100");
    end_well(inside);
}

/* ---- nothing left, nothing in silence --------------------------------- */

static void next_one_removes_what_a_killed_one_left(void **state)
{
    (void)state;
    const char *tree = tree_for_limits("root");
    struct probe *first = probe_inside("run", "--pids", "10", tree);
    struct probe *living = probe_inside("run", "--pids", "10", tree);
    const char *group = limits_of(probe_pid(first), "pids");
    pid_t pid = probe_pid(first);

    kill(probe_box_pid(first), SIGKILL);
    wait_until(kill(pid, 0) == -1 && errno == ESRCH,
               "the command to be gone with minibox");
    observe_true("control: its group is left", file_exists("%s", group), group);
    struct outcome o = box_run("run", "--pids", "10", tree, "/probe");
    assert_status(&o, 0);
    observe_true("it is gone after the next run", !file_exists("%s", group),
                 group);
    assert_answer(living, "ok 8 EAGAIN", "fork 100");
    end_well(living);
}

static void many_at_once_have_groups_of_their_own(void **state)
{
    (void)state;
    enum { MANY = 8 };
    const char *tree = tree_for_limits("root");
    struct probe *inside[MANY];

    for (int i = 0; i < MANY; i++)
        inside[i] = probe_inside("run", "--pids", text("%d", 3 + i), tree);
    for (int i = 0; i < MANY; i++)
        assert_answer(inside[i], text("ok %d EAGAIN", 1 + i), "fork 100");
    for (int i = 0; i < MANY; i++)
        end_well(inside[i]);
}

static void limit_that_cannot_be_set_is_refused(void **state)
{
    (void)state;
    const char *tree = tree_with_shell("root");
    struct outcome o = run_command((const char *const[]){
        "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
        "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"", "sh",
        box_words()[0], "run", "--memory", "16M", tree, "/probe", NULL});

    assert_status(&o, 125);
    assert_one_line(&o, "no control group for memory can be seen here");
}

/* ---- as root only ----------------------------------------------------- */

static void user_without_delegation_is_told_the_remedy(void **state)
{
    (void)state;
    const char *tree = tree_with_shell("root");
    const char *copy = text("%s/minibox", scratch());

    copy_program(box_words()[0], copy);
    start_next_as(4322, 4322);
    struct outcome o =
        run_command((const char *const[]){copy, "run", "--pids", "10", tree,
                                          "/probe", NULL});
    assert_status(&o, 125);
    assert_one_line(&o, has_version_1()
                            ? "control groups of version 1 are root's"
                            : "systemd-run --user --scope -p Delegate=yes");
}

/* A group that is delegated as systemd does it: the user's, but not its
 * parent.  Runs SCRIPT in it as root, with "$@" minibox as the user. */
static struct outcome in_delegated_group(const char *script)
{
    const char *tree = tree_with_shell("root");
    const char *copy = text("%s/minibox", scratch());
    const char *group = text("/sys/fs/cgroup/delegated-%d", (int)getpid());

    copy_program(box_words()[0], copy);
    make_directory(group, 0755);
    const char *all =
        text("group=%s; for f in . cgroup.procs cgroup.subtree_control; do"
             " chown 4322 $group/$f; done; %s",
             group, script);
    struct outcome o = run_command((const char *const[]){
        "sh", "-c", all, "sh", "setpriv", "--reuid", "4322", "--regid", "4322",
        "--clear-groups", copy, "run", "--pids", "10", tree, "sh", "-c",
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 9 & done; :", NULL});
    observe_true("nothing is left in the group, and it can be removed",
                 rmdir(group) == 0, group);
    return o;
}

static void skip_without_version_2(void)
{
    skip_unless(!has_version_1(), "no-unified",
                "the controllers are bound to version 1 here",
                "boot with systemd.unified_cgroup_hierarchy=1, or make vm");
}

static void user_alone_in_a_group_steps_aside(void **state)
{
    (void)state;
    skip_without_version_2();
    struct outcome o = in_delegated_group(
        "(sh -c 'echo $PPID' >$group/cgroup.procs; exec \"$@\")");

    observe_contains("the limit holds", "can't fork", o.err, "stderr");
    assert_status(&o, 2);
}

static void user_with_company_is_told_the_remedy(void **state)
{
    (void)state;
    skip_without_version_2();
    struct outcome o = in_delegated_group(
        "(sh -c 'echo $PPID' >$group/cgroup.procs; \"$@\"; exit $?)");

    assert_status(&o, 125);
    assert_one_line(&o, "other processes are in");
}

#define FOR_ALL                                                    \
    cmocka_unit_test(no_limit_makes_no_group),                     \
        cmocka_unit_test(memory_limit_is_set_and_swap_is_off),     \
        cmocka_unit_test(memory_bomb_is_killed_and_told),          \
        cmocka_unit_test(child_killed_for_memory_is_told_too),     \
        cmocka_unit_test(processes_are_exactly_as_many),           \
        cmocka_unit_test(both_limits_hold_together),               \
        cmocka_unit_test(path_of_the_group_is_hidden),             \
        cmocka_unit_test(limits_cannot_be_lifted_inside),          \
        cmocka_unit_test(next_one_removes_what_a_killed_one_left), \
        cmocka_unit_test(many_at_once_have_groups_of_their_own),   \
        cmocka_unit_test(limit_that_cannot_be_set_is_refused)

int main(int argc, char *argv[])
{
    static const struct CMUnitTest for_all[] = {FOR_ALL};
    static const struct CMUnitTest for_root[] = {
        FOR_ALL,
        cmocka_unit_test(user_without_delegation_is_told_the_remedy),
        cmocka_unit_test(user_alone_in_a_group_steps_aside),
        cmocka_unit_test(user_with_company_is_told_the_remedy),
    };

    if (geteuid() == 0)
        return witness_run(argc, argv, for_root, AS_CALLER);
    return witness_run(argc, argv, for_all, AS_CALLER);
}
