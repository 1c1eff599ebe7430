/*
 * run.c - run a suite: each test in a process of its own, with a bound, and
 * with a census before and after.
 */
#include "internal.h"

#include "census.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum result { PASSED, FAILED, SKIPPED };
static const struct {
    const char *name, *colour;
} results[] = {
    {"pass", "32"  },
    {"FAIL", "1;31"},
    {"skip", "33"  }
};

int note_fd = -1; /* a memfd: what the running test observed */
const char *const *suite_box;
uid_t suite_user;
char suite_directory[PATH_MAX], suite_probe[PATH_MAX + sizeof("/probe")];
char test_scratch[PATH_MAX];
int64_t test_until_ns;
unsigned suite_bound = 10;

static const char *suite_name;
static int tally_fd = -1;
/* How long the kernel has to tear down what ended with a test. */
static unsigned settle_ms = 3000;
static int output_fd;  /* a memfd: what cmocka and the test print */
static int signals_fd; /* SIGCHLD, SIGINT, SIGTERM as a signalfd */

const char *scratch(void)
{
    return test_scratch;
}

void note(const char *kind, const char *a, const char *b, const char *c)
{
    dprintf(note_fd, "%s\t%s\t%s\t%s\n", kind, squeeze(a), squeeze(b),
            squeeze(c));
}

/* ---- one test's process --------------------------------------------------- */

/* Runs in the test's own process. */
static void test_process(const struct CMUnitTest *test)
{
    const struct CMUnitTest only[] = {*test};
    sigset_t none;

    /* Whoever called us may ignore signals, as a shell's "&" does. */
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) == -1 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        _exit(USAGE_ERROR);
    /* A name and queues of its own, so that no test sees another's. */
    if (suite_throwaway && (unshare(CLONE_NEWIPC | CLONE_NEWUTS) == -1 ||
                            sethostname("outside", strlen("outside")) == -1))
        _exit(USAGE_ERROR);
    if (dup2(output_fd, 1) == -1 || dup2(output_fd, 2) == -1)
        _exit(USAGE_ERROR);
    int failures = cmocka_run_group_tests_name(suite_name, only, NULL, NULL);
    fflush(NULL);
    _exit(failures ? FAILED : PASSED);
}

static pid_t begin_test(const struct CMUnitTest *test)
{
    if (ftruncate(output_fd, 0) == -1 || ftruncate(note_fd, 0) == -1 ||
        lseek(output_fd, 0, SEEK_SET) == -1 ||
        lseek(note_fd, 0, SEEK_SET) == -1)
        err(USAGE_ERROR, "memfd");
    strcpy(test_scratch, "/tmp/witness-XXXXXX");
    if (!mkdtemp(test_scratch) || chmod(test_scratch, 0755) == -1)
        err(USAGE_ERROR, "a directory in /tmp");
    /* A test's own waits end before the runner loses patience. */
    test_until_ns = now_ns() + (int64_t)suite_bound * 900000000;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == -1)
        err(USAGE_ERROR, "fork");
    if (pid == 0)
        test_process(test);
    return pid;
}

/* ---- to wait for it, and to end it ----------------------------------------- */

/* Waits until a child ends, or until the time is up. */
static void wait_for_child(int64_t until)
{
    struct pollfd ready = {.fd = signals_fd, .events = POLLIN};
    struct signalfd_siginfo info;
    int64_t left = until - now_ns();

    if (left <= 0 || poll(&ready, 1, (int)(left / 1000000) + 1) <= 0)
        return;
    if (read(signals_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo != SIGCHLD)
        exit(128 + (int)info.ssi_signo);
}

/* Reaps all that has ended, orphans too; tells of TEST.  Returns whether
 * any child is left. */
static bool reap(pid_t test, int *status, bool *ended)
{
    int s;
    pid_t pid;

    while ((pid = waitpid(-1, &s, WNOHANG)) > 0)
        if (pid == test) {
            *status = s;
            *ended = true;
        }
    return pid == 0;
}

/* Returns false when the bound was reached. */
static bool wait_for_test(pid_t pid, int *status)
{
    int64_t until = now_ns() + (int64_t)suite_bound * 1000000000;
    bool ended = false;

    for (;;) {
        reap(pid, status, &ended);
        if (ended)
            return true;
        if (now_ns() > until)
            return false;
        wait_for_child(until);
    }
}

/* Kills our children again and again: what they leave becomes ours, because
 * we are PID 1 or a subreaper. */
static void kill_descendants(void)
{
    char path[64];
    int pid, status;
    bool ended;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    while (reap(0, &status, &ended)) {
        FILE *children = fopen(path, "re");
        while (children && fscanf(children, "%d", &pid) == 1)
            kill(pid, SIGKILL);
        if (children)
            fclose(children);
        wait_for_child(now_ns() + 50000000);
    }
}

/* What the test left behind, once the kernel had time to tear down; NULL
 * when nothing. */
static char *left_behind(const char *before)
{
    int64_t until = now_ns() + (int64_t)settle_ms * 1000000;
    int status;
    bool ended;

    for (;;) {
        reap(0, &status, &ended);
        char *after = census_take(suite_own_tmp);
        char *difference = census_difference(before, after);
        free(after);
        if (!difference || now_ns() > until)
            return difference;
        free(difference);
        wait_for_child(now_ns() + 2000000);
    }
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    (void)remove(path);
    return 0;
}

/* ---- to tell --------------------------------------------------------------- */

static void print_result(enum result result, const char *name)
{
    bool coloured = isatty(1) && !getenv("NO_COLOR");

    printf("  %s%s%s%s  %s\n", coloured ? "\033[" : "",
           coloured ? text("%sm", results[result].colour) : "",
           results[result].name, coloured ? "\033[0m" : "", name);
}

/* What the test printed; of cmocka's own frame only the reasons. */
static void print_output(void)
{
    char *copy = strdup(fd_text(output_fd)), *rest = copy, *line;

    while ((line = strsep(&rest, "\n"))) {
        char *reason = *line == '[' ? strstr(line, " --- ") : NULL;
        if (reason && !strstr(line, "tests/witness/"))
            printf("        %s\n", reason + 5);
        else if (*line && *line != '[' && !strstr(line, "FAILED TEST(S)"))
            printf("        %s\n", line);
    }
    free(copy);
}

/* Prints what was observed, when asked for, and why a test was skipped;
 * returns the key of the skip, or NULL. */
static const char *print_notes(void)
{
    char *copy = strdup(fd_text(note_fd)), *rest = copy, *line;
    const char *key = NULL;

    while ((line = strsep(&rest, "\n")) && *line) {
        const char *kind = strsep(&line, "\t"), *a = strsep(&line, "\t");
        const char *b = strsep(&line, "\t");
        if (strcmp(kind, "skip") == 0) {
            key = text("%s", a);
            printf("        reason: %s\n        remedy: %s\n", b, line);
        } else if (getenv("WITNESS_VERBOSE")) {
            printf("        %s: %s   (%s)\n", a, b, line);
        }
    }
    free(copy);
    return key;
}

static void print_left(const char *left)
{
    for (; left && *left; left += strcspn(left, "\n") + 1)
        printf("        left behind: %.*s\n", (int)strcspn(left, "\n"), left);
}

/* One line for whoever adds up all suites. */
static void tally(enum result result, const char *test, const char *key)
{
    if (tally_fd != -1)
        dprintf(tally_fd, "%s\t%s\t%s\t%s\n", results[result].name, suite_name,
                test, key ? key : "");
}

/* Before /tmp becomes another one. */
static void open_tally(void)
{
    const char *path = getenv("WITNESS_TALLY");

    if (path && *path)
        tally_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* ---- the suite -------------------------------------------------------------- */

/* Runs one test to its end, and tells how it went. */
static enum result run_one(const struct CMUnitTest *test)
{
    int status = 0;
    char *before = census_take(suite_own_tmp);
    pid_t pid = begin_test(test);
    bool in_time = wait_for_test(pid, &status);

    if (!in_time)
        kill_descendants();
    nftw(test_scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    char *left = left_behind(before);
    kill_descendants();

    bool failed =
        !in_time || left || !WIFEXITED(status) || WEXITSTATUS(status) != PASSED;
    bool skipped = strstr(fd_text(note_fd), "skip\t") != NULL;
    enum result result = failed ? FAILED : skipped ? SKIPPED : PASSED;
    print_result(result, test->name);
    if (failed)
        print_output();
    if (!in_time)
        printf("        it hung, and was ended after %u s\n", suite_bound);
    else if (WIFSIGNALED(status))
        printf("        it was killed by signal %d\n", WTERMSIG(status));
    print_left(left);
    tally(result, test->name, print_notes());
    fflush(stdout);
    free(before);
    free(left);
    return result;
}

/* What cannot run at all is skipped test by test, with the reason. */
static enum result skip_one(const struct CMUnitTest *test)
{
    print_result(SKIPPED, test->name);
    printf("        reason: %s\n        remedy: run as root, or see what "
           "build/chapters/00-preflight/preflight says\n",
           suite_blocked);
    tally(SKIPPED, test->name, "no-namespaces");
    return SKIPPED;
}

static void read_number(const char *variable, unsigned *number)
{
    const char *value = getenv(variable);

    if (value && atoi(value) > 0)
        *number = (unsigned)atoi(value);
}

static void prepare(const char *program)
{
    static char name[NAME_MAX + 1];
    char path[PATH_MAX];
    sigset_t signals;

    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length == -1)
        err(USAGE_ERROR, "readlink /proc/self/exe");
    path[length] = '\0';
    /* build/tests/labs/ipc_lab_test: the probe is in build/tests. */
    snprintf(suite_directory, sizeof(suite_directory), "%s",
             dirname(dirname(path)));
    snprintf(suite_probe, sizeof(suite_probe), "%s/probe", suite_directory);
    host_publish(suite_probe, sizeof(suite_probe));
    snprintf(name, sizeof(name), "%s", basename((char *)program));
    suite_name = name;
    read_number("WITNESS_BOUND", &suite_bound);
    read_number("WITNESS_SETTLE", &settle_ms);
    output_fd = memfd_create("output", MFD_CLOEXEC);
    note_fd = memfd_create("notes", MFD_CLOEXEC);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == -1)
        err(USAGE_ERROR, "sigprocmask");
    signals_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (output_fd == -1 || note_fd == -1 || signals_fd == -1)
        err(USAGE_ERROR, "memfd_create, signalfd");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        err(USAGE_ERROR, "prctl");
}

static void list_tests(const struct CMUnitTest tests[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        puts(tests[i].name);
}

int witness_run_tests(int argc, char *argv[], const struct CMUnitTest tests[],
                      size_t count, enum witness_stand stand)
{
    const char *wanted = NULL;
    size_t failed = 0, run = 0;
    int option;

    while ((option = getopt(argc, argv, "+lt:")) != -1)
        if (option == 'l') {
            list_tests(tests, count);
            return 0;
        } else if (option == 't') {
            wanted = optarg;
        } else {
            return USAGE_ERROR;
        }
    if (optind == argc)
        errx(USAGE_ERROR, "usage: %s [-l] [-t TEST] BOX [OPTION...]", argv[0]);
    suite_box = (const char *const *)argv + optind;
    open_tally();
    host_take_stand(stand);
    prepare(argv[0]);
    for (size_t i = 0; i < count; i++) {
        if (wanted && strcmp(wanted, tests[i].name) != 0)
            continue;
        run++;
        failed += (suite_blocked ? skip_one : run_one)(&tests[i]) == FAILED;
    }
    if (run == 0)
        errx(USAGE_ERROR, "no test is called %s", wanted);
    return failed ? 1 : 0;
}
