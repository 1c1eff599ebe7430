/*
 * pid_test - what the box of chapter 02-pid isolates, and what it does not.
 */
#include "witness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The number outside of the latest child of a probe. */
static pid_t latest_child(const struct probe *probe)
{
    int pid = (int)probe_pid(probe);
    const char *all = file_words("/proc/%d/task/%d/children", pid, pid);
    const char *blank = strrchr(all, ' ');

    return (pid_t)atoi(blank ? blank + 1 : all);
}

static void assert_process_gone(pid_t pid)
{
    observe_true("the process is gone", !file_exists("/proc/%d", (int)pid),
                 text("/proc/%d", (int)pid));
}

static void assert_process_there(pid_t pid)
{
    observe_true("the process is there", file_exists("/proc/%d", (int)pid),
                 text("/proc/%d", (int)pid));
}

/* ---- one process, several numbers ---------------------------------------- */

static void nspid_has_one_column_for_each_level(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();
    struct probe *two = probe_nested(2), *three = probe_nested(3);

    assert_status_field(outside, "NSpid",
                        text("%d", (int)probe_pid(outside))); /* control */
    assert_status_field(inside, "NSpid", text("%d 1", (int)probe_pid(inside)));
    assert_status_field(two, "NSpid", text("%d 2 1", (int)probe_pid(two)));
    assert_status_field(three, "NSpid",
                        text("%d 3 2 1", (int)probe_pid(three)));
}

static void getpid_inside_is_the_last_column(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *three = probe_nested(3);

    assert_answer(outside, text("ok %d", (int)probe_pid(outside)),
                  "getpid"); /* control */
    assert_answer(three, "ok 1", "getpid");
    assert_answer(three, "ok 2", "spawn");
    observe_equal("the child's numbers end with what fork returned inside",
                  text("%d 4 3 2", (int)latest_child(three)),
                  status_field(latest_child(three), "NSpid"),
                  "/proc/PID/status");
}

static void parent_outside_has_no_number_inside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();

    assert_answer(outside, text("ok %d", (int)getpid()), "getppid");
    assert_answer(inside, "ok 0", "getppid");
    assert_status_field(inside, "PPid", text("%d", (int)probe_box_pid(inside)));
}

static void processes_outside_have_no_number_inside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();
    struct probe *inside = probe_inside();
    int pid = (int)probe_pid(other);

    assert_answer(outside, "ok", "kill %d 0", pid); /* control */
    assert_answer(inside, "ESRCH", "kill %d 0", pid);
    assert_answer(inside, "ok", "kill 1 0");
}

static void of_all_namespaces_only_pid_and_mnt_are_new(void **state)
{
    (void)state;
    assert_only_own_namespaces(probe_outside(), ""); /* control */
    assert_only_own_namespaces(probe_inside(), "pid mnt");
}

/* ---- /proc ----------------------------------------------------------------- */

static void proc_inside_shows_the_inside(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();
    int pid = (int)probe_pid(inside);

    assert_answer(outside, "ok", "open /proc/%d", pid); /* control */
    assert_answer(inside, "ENOENT", "open /proc/%d", pid);
    assert_answer(inside, "ok 1", "readlink /proc/self");
    assert_answer(inside, "ok 2", "spawn");
    observe_equal("numbers in the inside's /proc", "ok 1 2",
                  text("%.6s", ask(inside, "ls /proc")), "readdir");
}

/* A new PID namespace alone leaves the old /proc in place. */
static void without_a_new_mount_proc_shows_the_outside(void **state)
{
    (void)state;
    struct probe *probe =
        probe_start((const char *const[]){"unshare", "--pid", "--fork",
                                          "--kill-child", probe_path(), NULL});

    assert_answer(probe, "ok 1", "getpid");
    assert_answer(probe, text("ok %d", (int)probe_pid(probe)),
                  "readlink /proc/self");
}

/* "/" is made shared, as systemd does it, in a scratch namespace. */
static void mounts_inside_do_not_reach_a_shared_outside(void **state)
{
    (void)state;
    static const char frame[] =
        "exec unshare --mount sh -c 'mount --make-rshared / && \"$@\" "
        "mount -t tmpfs inside /mnt; grep -c \" /mnt .* inside \" "
        "/proc/self/mountinfo; grep -c \" /proc .* proc \" "
        "/proc/self/mountinfo' sh %s";
    struct outcome leak =
        script(text(frame, "unshare --mount --propagation unchanged"));
    struct outcome box = script(text(frame, "\"$@\" --"));
    const char *procs = strchr(leak.out, '\n');

    assert_true(procs != NULL);
    observe_equal("mounts seen outside, without privacy", "1",
                  text("%.1s", leak.out), "/proc/self/mountinfo");
    observe_equal("mounts seen outside of the box", text("0%s", procs), box.out,
                  "/proc/self/mountinfo");
}

/* ---- number 1 ---------------------------------------------------------------- */

static void signals_from_inside_do_not_end_number_one(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();

    assert_answer(inside, "ok", "kill 1 15");
    assert_answer(inside, "ok", "kill 1 9");
    assert_answer(inside, "ok 1", "getpid");
    tell(outside, "kill %d 15", (int)probe_pid(outside)); /* control */
    assert_int_equal(probe_wait(outside), 128 + SIGTERM);
}

static void signals_that_number_one_handles_arrive(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();

    assert_answer(inside, "ok", "catch 15");
    assert_answer(inside, "ok", "kill 1 15");
    assert_answer(inside, "ok 1", "caught");
    assert_int_equal(kill(probe_pid(inside), SIGTERM), 0);
    wait_until(strcmp(ask(inside, "caught"), "ok 2") == 0,
               "SIGTERM from outside");
}

static void sigterm_from_outside_is_dropped(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();

    assert_int_equal(kill(probe_pid(outside), SIGTERM), 0); /* control */
    assert_int_equal(probe_wait(outside), 128 + SIGTERM);
    assert_int_equal(kill(probe_pid(inside), SIGTERM), 0);
    assert_answer(inside, "ok 1", "getpid");
}

static void sigkill_from_outside_ends_number_one_and_all(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();

    assert_answer(inside, "ok 2", "daemon");
    pid_t daemon = latest_child(inside);
    assert_process_there(daemon);
    assert_int_equal(kill(probe_pid(inside), SIGKILL), 0);
    assert_int_equal(probe_wait(inside), 128 + SIGKILL);
    assert_process_gone(daemon);
}

static void exit_of_number_one_ends_all(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *inside = probe_inside();
    pid_t survivor = (pid_t)ask_number(outside, "daemon");

    assert_answer(inside, "ok 2", "daemon");
    pid_t daemon = latest_child(inside);
    assert_process_there(daemon);
    tell(inside, "exit 3");
    assert_int_equal(probe_wait(inside), 3);
    assert_process_gone(daemon);
    assert_int_equal(probe_end(outside), 0);
    assert_process_there(survivor); /* control */
    assert_int_equal(kill(survivor, SIGKILL), 0);
    wait_until(!file_exists("/proc/%d", (int)survivor), "the daemon's end");
}

static void fork_after_the_end_of_number_one_is_enomem(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();

    assert_answer(outside, "ok", "unshare pid");
    long first = ask_number(outside, "spawn");
    assert_answer(outside, "ok 1", "fork 1"); /* control: number 2 */
    pid_t second = latest_child(outside);
    assert_answer(outside, "ok", "kill %ld 9", first);
    assert_answer(outside, "ok 137", "wait %d", (int)second);
    assert_answer(outside, "ok 137", "wait %ld", first);
    assert_answer(outside, "ok 0 ENOMEM", "fork 1");
}

/* ---- nothing is left, nothing leaks in ------------------------------------ */

static void killed_box_takes_its_inside_with_it(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();
    struct probe *orphan = probe_start((
        const char *const[]){"unshare", "--pid", "--fork", probe_path(), NULL});

    assert_answer(inside, "ok 2", "daemon");
    assert_int_equal(kill(probe_box_pid(orphan), SIGKILL), 0);
    assert_int_equal(probe_wait(orphan), 128 + SIGKILL);
    assert_answer(orphan, "ok 1", "getpid"); /* control */
    assert_int_equal(kill(probe_pid(orphan), SIGKILL), 0);

    assert_int_equal(kill(probe_box_pid(inside), SIGKILL), 0);
    assert_int_equal(probe_wait(inside), 128 + SIGKILL);
    observe_true("the inside is gone", hear(inside) == NULL, "its socket");
}

static void descriptors_of_the_caller_stay_outside(void **state)
{
    (void)state;
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(dup2(fd, 9), 9); /* without close-on-exec */
    struct probe *outside = probe_outside(), *inside = probe_inside();
    observe_contains("descriptors without the box", " 9", ask(outside, "fds"),
                     "fcntl(2)"); /* control */
    assert_answer(inside, "ok 0 1 2", "fds");
    assert_int_equal(close(9), 0);
    assert_int_equal(close(fd), 0);
}

/* ---- the box convention ------------------------------------------------------ */

static void exit_status_is_the_commands(void **state)
{
    (void)state;
    struct outcome seven = box_run("--", "sh", "-c", "exit 7");
    struct outcome bare = box_run("sh", "-c", "exit 7");
    struct outcome killed = box_run("--", "sh", "-c", "(kill -9 $$); exit 6");
    struct outcome child =
        box_run("--", "sh", "-c", "sh -c 'kill $$'; exit $?");

    assert_status(&seven, 7);
    assert_status(&bare, 7);
    assert_status(&killed, 6); /* number 1 lives on */
    assert_status(&child, 128 + SIGTERM);
}

static void command_that_is_not_there_is_127(void **state)
{
    (void)state;
    struct outcome missing = box_run("--", "/no/such/command");
    struct outcome empty = box_run("--", "");

    assert_status(&missing, 127);
    assert_one_line(&missing, "/no/such/command: No such file or directory");
    assert_status(&empty, 127);
}

static void command_that_cannot_be_executed_is_126(void **state)
{
    (void)state;
    struct outcome outcome = box_run("--", "/etc/passwd");

    assert_status(&outcome, 126);
    assert_one_line(&outcome, "/etc/passwd: Permission denied");
}

static void help_goes_to_stdout(void **state)
{
    (void)state;
    struct outcome outcome = box_run("--help");
    struct outcome full = script("exec \"$@\" --help >/dev/full");

    assert_status(&outcome, 0);
    observe_equal("stderr", "", outcome.err, "the box");
    observe_contains("stdout", "usage: pid", outcome.out, "the box");
    assert_status(&full, 125);
    assert_one_line(&full, "No space left on device");
}

static void unknown_option_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome outcome = box_run("--no-such-option", "--", "true");

    assert_status(&outcome, 125);
    assert_one_line(&outcome, "unknown option --no-such-option");
    observe_equal("stdout", "", outcome.out, "the box");
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    (void)state;
    static const char *const closed[] = {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"};

    for (size_t i = 0; i < 4; i++) {
        struct outcome run =
            script(text("exec \"$@\" -- sh -c 'exit 7' %s", closed[i]));
        struct outcome demo = script(text("exec \"$@\" %s", closed[i]));
        assert_status(&run, 7);
        assert_status(&demo, 0);
    }
}

/* ---- what may not be: the layer and the remedy ------------------------------- */

static void without_the_capability_the_remedy_is_named(void **state)
{
    (void)state;
    static const char *const uses[] = {"-- true", ""};

    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome = script(
            text("exec setpriv --inh-caps=-all --bounding-set=-all \"$@\" %s",
                 uses[i]));
        assert_status(&outcome, 125);
        assert_one_line(&outcome, "clone(CLONE_NEWPID): Operation not "
                                  "permitted");
        observe_contains("the remedy", "run as root, or under \"unshare -Ur\"",
                         outcome.err, "the box's stderr");
    }
}

/* Containers mount over parts of /proc; then no new one may be had. */
static void covered_proc_is_named_as_the_reason(void **state)
{
    (void)state;
    static const char frame[] =
        "exec unshare --mount sh -c '%s exec unshare -Ur \"$@\" -- true' "
        "sh \"$@\"";
    struct outcome plain = script(text(frame, ""));
    struct outcome covered =
        script(text(frame, "mount -t tmpfs none /proc/irq &&"));

    assert_status(&plain, 0); /* control */
    assert_status(&covered, 125);
    assert_one_line(&covered, "mount a new /proc: Operation not permitted "
                              "(the old one is partly covered");
}

static void too_deep_a_nest_is_named_as_the_reason(void **state)
{
    (void)state;
    const char *path = text("%s/nest", scratch());
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fprintf(file, "exec \"%s\" -- sh \"%s\"\n", box_words()[0], path);
    assert_int_equal(fclose(file), 0);
    struct outcome outcome =
        run_command((const char *const[]){"sh", path, NULL});
    assert_status(&outcome, 125);
    assert_one_line(&outcome, "clone(CLONE_NEWPID): No space left on device "
                              "(32 levels at most");
}

/* ---- the demo ------------------------------------------------------------------ */

/* The line of the demo that begins with these words. */
static const char *demo_line(const struct outcome *demo, const char *begin)
{
    observe_contains("the demo", begin, demo->out, "its stdout");
    const char *line = strstr(demo->out, begin);
    return text("%.*s", (int)strcspn(line, "\n"), line);
}

static void demo_shows_a_number_more_at_each_level(void **state)
{
    (void)state;
    static const char *const inner[] = {"1", "2 1", "3 2 1"};
    struct outcome demo = box_run_words((const char *const[]){NULL});
    int parent, self, same;

    assert_status(&demo, 0);
    observe_equal("stderr", "", demo.err, "the demo");
    assert_int_equal(sscanf(demo_line(&demo, "level 0"),
                            "level 0 | getppid() %d, getpid() %d | NSpid: %d",
                            &parent, &self, &same),
                     3);
    assert_int_equal(parent, getpid());
    assert_int_equal(self, same);
    for (int level = 1; level <= 3; level++) {
        const char *line = demo_line(&demo, text("level %d", level));
        const char *numbers = strstr(line, "NSpid: ");
        assert_non_null(numbers);
        observe_equal("the demo's line",
                      text("level %d | getppid() 0, getpid() 1 | NSpid: %d %s",
                           level, atoi(numbers + 7), inner[level - 1]),
                      squeeze(line), "its stdout");
    }
}

static void demo_shows_number_one_live_and_end(void **state)
{
    (void)state;
    struct outcome demo = box_run_words((const char *const[]){NULL});
    int old, first, second;

    assert_int_equal(sscanf(demo_line(&demo, "old /proc"),
                            "old /proc | getppid() 0, getpid() 1 | NSpid: "
                            "%d 1",
                            &old),
                     1);
    observe_equal("numbers in the new /proc",
                  "new /proc | getppid() 0, getpid() 1 | NSpid: 1",
                  demo_line(&demo, "new /proc"), "the demo");
    observe_contains("the demo", "SIGKILL to 1: still here",
                     demo_line(&demo, "inside "), "its stdout");
    assert_int_equal(sscanf(demo_line(&demo, "outside "),
                            "outside | %d is 1 inside, %d is 2", &first,
                            &second),
                     2);
    observe_contains("the demo", text("I killed %d: status 137", first),
                     demo.out, "its stdout");
    observe_contains("the demo", text("I let %d live: status 137", second),
                     demo.out, "its stdout");
    observe_contains("the demo", "fork(): Cannot allocate memory", demo.out,
                     "its stdout");
}

/* Kills the demo after so many lines.  All its processes hold the pipe:
 * its end of file is the end of the last of them. */
static void kill_demo_after(int lines)
{
    int output[2];
    char byte;

    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(output[1], 1) == 1)
            execv(box_words()[0], (char *const *)box_words());
        _exit(125);
    }
    assert_int_equal(close(output[1]), 0);
    while (lines > 0 && read(output[0], &byte, 1) == 1)
        lines -= byte == '\n';
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (read(output[0], &byte, 1) == 1)
        continue;
    assert_int_equal(close(output[0]), 0);
}

static void demo_killed_at_any_line_leaves_nothing(void **state)
{
    (void)state;
    for (int lines = 0; lines <= 11; lines++)
        kill_demo_after(lines);
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nspid_has_one_column_for_each_level),
        cmocka_unit_test(getpid_inside_is_the_last_column),
        cmocka_unit_test(parent_outside_has_no_number_inside),
        cmocka_unit_test(processes_outside_have_no_number_inside),
        cmocka_unit_test(of_all_namespaces_only_pid_and_mnt_are_new),
        cmocka_unit_test(proc_inside_shows_the_inside),
        cmocka_unit_test(without_a_new_mount_proc_shows_the_outside),
        cmocka_unit_test(mounts_inside_do_not_reach_a_shared_outside),
        cmocka_unit_test(signals_from_inside_do_not_end_number_one),
        cmocka_unit_test(signals_that_number_one_handles_arrive),
        cmocka_unit_test(sigterm_from_outside_is_dropped),
        cmocka_unit_test(sigkill_from_outside_ends_number_one_and_all),
        cmocka_unit_test(exit_of_number_one_ends_all),
        cmocka_unit_test(fork_after_the_end_of_number_one_is_enomem),
        cmocka_unit_test(killed_box_takes_its_inside_with_it),
        cmocka_unit_test(descriptors_of_the_caller_stay_outside),
        cmocka_unit_test(exit_status_is_the_commands),
        cmocka_unit_test(command_that_is_not_there_is_127),
        cmocka_unit_test(command_that_cannot_be_executed_is_126),
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(unknown_option_is_one_line_and_125),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(without_the_capability_the_remedy_is_named),
        cmocka_unit_test(covered_proc_is_named_as_the_reason),
        cmocka_unit_test(too_deep_a_nest_is_named_as_the_reason),
        cmocka_unit_test(demo_shows_a_number_more_at_each_level),
        cmocka_unit_test(demo_shows_number_one_live_and_end),
        cmocka_unit_test(demo_killed_at_any_line_leaves_nothing),
    };
    return witness_run(argc, argv, tests, AS_ROOT);
}
