/*
 * pid_lab_test - does the tool of lab 02-pid know everybody's numbers?
 *
 * The box under test is a tool here: the suite makes PID namespaces by
 * unshare(1), and asks the tool about them.
 */
#include "witness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEW_NAMESPACE "unshare", "--pid", "--fork", "--kill-child"
#define NO_PRIVILEGE  "setpriv", "--inh-caps=-all", "--bounding-set=-all"

/* A probe that is number 1 of a new PID namespace. */
static struct probe *number_one(void)
{
    return probe_start(
        (const char *const[]){NEW_NAMESPACE, probe_path(), NULL});
}

/* The same, in a new namespace within a new namespace. */
static struct probe *number_one_below(void)
{
    return probe_start((const char *const[]){NEW_NAMESPACE, NEW_NAMESPACE,
                                             probe_path(), NULL});
}

/* One child more; how it is numbered outside. */
static pid_t new_child(struct probe *probe, long *inside)
{
    int pid = (int)probe_pid(probe);

    *inside = ask_number(probe, "spawn");
    const char *all = file_words("/proc/%d/task/%d/children", pid, pid);
    const char *blank = strrchr(all, ' ');
    return (pid_t)atoi(blank ? blank + 1 : all);
}

static const char *word(long number)
{
    return text("%ld", number);
}

static struct outcome levels_of(pid_t pid)
{
    return box_run("levels", word(pid));
}

static struct outcome find(pid_t member, long number)
{
    return box_run("find", word(member), word(number));
}

/* Runs the tool with words as a shell would read them. */
static struct outcome script(const char *words)
{
    const char *line = text("exec \"$@\" %s", words);
    const char *argv[32] = {"sh", "-c", line, "sh"};
    size_t used = 4;

    for (const char *const *w = box_words(); *w && used < 31; w++)
        argv[used++] = *w;
    return run_command(argv);
}

/* The tool printed exactly this line, and no complaint. */
static void assert_says(struct outcome outcome, const char *line)
{
    observe_equal("what the tool complains of", "", outcome.err, "its stderr");
    observe_equal("what the tool says", text("%s\n", line), outcome.out,
                  "its stdout");
    assert_status(&outcome, 0);
}

/* The tool says that there is no such process. */
static void assert_none(struct outcome outcome)
{
    observe_equal("what the tool says", "", outcome.out, "its stdout");
    assert_status(&outcome, 1);
    assert_one_line(&outcome, "");
}

/* ---- given ------------------------------------------------------------------ */

static void help_goes_to_stdout(void **state)
{
    (void)state;
    struct outcome outcome = box_run("--help");

    assert_status(&outcome, 0);
    observe_contains("stdout", "usage:", outcome.out, "the tool");
    observe_equal("stderr", "", outcome.err, "the tool");
}

static void bad_usage_is_one_line_and_125(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "levels",
        "levels 1 2",
        "find 1",
        "rename 1",
        "levels ''",
        "levels 0",
        "levels -1",
        "levels 12x",
        "levels ' 1'",
        "find 1 x",
        "find 1 4194305",
        "levels 99999999999999999999",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct outcome outcome = script(bad[i]);
        assert_status(&outcome, 125);
        assert_one_line(&outcome, "");
        observe_equal("stdout", "", outcome.out, "the tool");
    }
}

/* ---- levels ------------------------------------------------------------------ */

static void process_outside_has_one_number(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();

    assert_says(levels_of(probe_pid(outside)), word(probe_pid(outside)));
}

static void number_inside_comes_after_the_one_outside(void **state)
{
    (void)state;
    struct probe *one = number_one();
    long inside;
    pid_t child = new_child(one, &inside);

    assert_says(levels_of(probe_pid(one)), text("%d 1", (int)probe_pid(one)));
    assert_says(levels_of(child), text("%d %ld", (int)child, inside));
}

static void each_level_has_its_number(void **state)
{
    (void)state;
    struct probe *below = number_one_below();
    struct probe *deep =
        probe_start((const char *const[]){NEW_NAMESPACE, NEW_NAMESPACE,
                                          NEW_NAMESPACE, probe_path(), NULL});

    assert_says(levels_of(probe_pid(below)),
                text("%d 2 1", (int)probe_pid(below)));
    assert_says(levels_of(probe_pid(deep)),
                text("%d 3 2 1", (int)probe_pid(deep)));
}

/* The name of a process is in the same file as its numbers. */
static void name_of_a_process_does_not_deceive(void **state)
{
    (void)state;
    const char *path = text("%s/NSpid: 7 8", scratch());
    struct outcome copy =
        run_command((const char *const[]){"cp", probe_path(), path, NULL});

    assert_status(&copy, 0);
    struct probe *liar = probe_start((const char *const[]){path, NULL});
    observe_equal("the name of the process", "NSpid: 7 8", /* control */
                  file_words("/proc/%d/comm", (int)probe_pid(liar)),
                  "/proc/PID/comm");
    assert_says(levels_of(probe_pid(liar)), word(probe_pid(liar)));
}

static void levels_of_nobody_is_1(void **state)
{
    (void)state;
    assert_none(levels_of(4194304));
}

/* ---- find --------------------------------------------------------------------- */

static void one_namespace_is_known_by_two_processes(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();

    assert_says(find(probe_pid(outside), probe_pid(other)),
                word(probe_pid(other)));
}

static void number_outside_is_not_the_number_inside(void **state)
{
    (void)state;
    struct probe *one = number_one();

    assert_none(find(probe_pid(one), probe_pid(one)));
}

/* A number that nobody outside has: only the inside's counts. */
static void number_is_looked_up_in_the_members_namespace(void **state)
{
    (void)state;
    struct probe *one = number_one();
    pid_t child;
    long inside;

    do
        child = new_child(one, &inside);
    while (file_exists("/proc/%ld", inside));
    assert_says(find(probe_pid(one), inside), word(child));
}

static void same_number_in_another_namespace_is_another_process(void **state)
{
    (void)state;
    struct probe *one = number_one(), *other = number_one();

    assert_says(find(probe_pid(one), 1), word(probe_pid(one)));
    assert_says(find(probe_pid(other), 1), word(probe_pid(other)));
    assert_says(find(getpid(), 1), "1");
}

/* Its children are born elsewhere; it stays where it is. */
static void namespace_is_where_a_process_lives(void **state)
{
    (void)state;
    struct probe *parent = probe_outside();
    long child;

    assert_answer(parent, "ok", "unshare pid");
    (void)new_child(parent, &child);
    observe_differs("the namespace of its children",
                    namespace_of(probe_pid(parent), "pid"),
                    namespace_of((pid_t)child, "pid"), "/proc/PID/ns/pid");
    assert_says(find(probe_pid(parent), probe_pid(parent)),
                word(probe_pid(parent)));
    assert_says(find(probe_pid(parent), 1), "1");
    assert_says(find((pid_t)child, 1), word(child));
}

static void same_number_in_a_namespace_below_is_another_process(void **state)
{
    (void)state;
    struct probe *below = number_one_below();
    /* unshare(1) itself: it lives one level above the probe. */
    pid_t above = (pid_t)atoi(status_field(probe_pid(below), "PPid"));
    long inside;
    pid_t child = new_child(below, &inside);

    observe_equal("numbers of the one above", text("%d 1", (int)above),
                  status_field(above, "NSpid"), "/proc/PID/status");
    assert_says(find(above, 1), word(above));
    assert_says(find(child, 1), word(probe_pid(below)));
    assert_says(find(probe_pid(below), inside), word(child));
    assert_none(find(above, inside));
}

static void number_of_one_gone_is_nobodys(void **state)
{
    (void)state;
    struct probe *one = number_one();
    long inside;

    do
        (void)new_child(one, &inside);
    while (inside < 12);
    assert_answer(one, "ok", "kill 2 9");
    assert_answer(one, "ok 137", "wait 2");
    assert_none(find(probe_pid(one), 2)); /* 12 is not 2 */
}

static void processes_that_may_not_be_read_are_passed_over(void **state)
{
    (void)state;
    struct probe *one = probe_start(
        (const char *const[]){NEW_NAMESPACE, NO_PRIVILEGE, probe_path(), NULL});
    const char *argv[16] = {NO_PRIVILEGE};
    size_t used = 3;
    long inside;
    pid_t child = new_child(one, &inside);
    struct outcome control =
        run_command((const char *const[]){NO_PRIVILEGE, "stat", "--dereference",
                                          "/proc/1/ns/pid", NULL});

    assert_int_not_equal(control.status, 0);
    for (const char *const *w = box_words(); *w && used < 12; w++)
        argv[used++] = *w;
    argv[used++] = "find";
    argv[used++] = word(probe_pid(one));
    argv[used++] = word(inside);
    assert_says(run_command(argv), word(child));
}

/* A /proc in which two processes are gone when one looks closer. */
static void processes_that_end_meanwhile_are_passed_over(void **state)
{
    (void)state;
    static const char lines[] =
        "fake=$1 member=$2 child=$3 number=$4; shift 4\n"
        "mkdir \"$fake\" && mount -t tmpfs none \"$fake\" || exit 99\n"
        "for pid in 4000001 $$ $member $child 4000002; do\n"
        "    mkdir \"$fake/$pid\"\n"
        "    [ $pid -gt 4000000 ] ||\n"
        "        mount --bind /proc/$pid \"$fake/$pid\" || exit 99\n"
        "done\n"
        "ln -s $$ \"$fake/self\"\n"
        "mount --rbind \"$fake\" /proc || exit 99\n"
        "exec \"$@\" find $member $number\n";
    struct probe *one = number_one();
    const char *argv[24] = {"unshare", "--mount", "sh", "-c", lines, "sh"};
    size_t used = 6;
    long inside;
    pid_t child = new_child(one, &inside);

    argv[used++] = text("%s/proc", scratch());
    argv[used++] = word(probe_pid(one));
    argv[used++] = word(child);
    argv[used++] = word(inside);
    for (const char *const *w = box_words(); *w && used < 23; w++)
        argv[used++] = *w;
    assert_says(run_command(argv), word(child));
}

static void number_of_nobody_is_1(void **state)
{
    (void)state;
    struct probe *one = number_one();

    assert_none(find(probe_pid(one), 4194304));
    assert_none(find(4194304, 1));
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(bad_usage_is_one_line_and_125),
        cmocka_unit_test(process_outside_has_one_number),
        cmocka_unit_test(number_inside_comes_after_the_one_outside),
        cmocka_unit_test(each_level_has_its_number),
        cmocka_unit_test(name_of_a_process_does_not_deceive),
        cmocka_unit_test(levels_of_nobody_is_1),
        cmocka_unit_test(one_namespace_is_known_by_two_processes),
        cmocka_unit_test(number_outside_is_not_the_number_inside),
        cmocka_unit_test(number_is_looked_up_in_the_members_namespace),
        cmocka_unit_test(same_number_in_another_namespace_is_another_process),
        cmocka_unit_test(namespace_is_where_a_process_lives),
        cmocka_unit_test(same_number_in_a_namespace_below_is_another_process),
        cmocka_unit_test(number_of_one_gone_is_nobodys),
        cmocka_unit_test(processes_that_may_not_be_read_are_passed_over),
        cmocka_unit_test(processes_that_end_meanwhile_are_passed_over),
        cmocka_unit_test(number_of_nobody_is_1),
    };
    return witness_run(argc, argv, tests, AS_ROOT);
}
