/*
 * witness.h - look at a box from outside, and judge what it isolates.
 *
 * A box is any program that keeps the box convention
 *
 *     BOX [OPTION...] -- COMMAND [ARG...]    run COMMAND inside
 *
 * A suite is a cmocka suite whose main calls witness_run().  It is called
 *
 *     SUITE [-l] [-t TEST] BOX [OPTION...]
 *
 * and every test starts BOX around the probe (tests/probe), asks the
 * probe to do things inside, and reads what the kernel says outside.
 * Nothing here believes what a program says about itself.
 *
 *     struct probe *inside = probe_inside();
 *     struct probe *outside = probe_outside();       (the control)
 *
 *     assert_own_namespace(inside, "ipc");
 *     assert_answer(outside, "ok", "mq_create /letter");
 *     assert_answer(inside, "ENOENT", "mq_open /letter");
 *
 * Each test runs in a process of its own, is ended after a bound
 * (WITNESS_BOUND seconds, 10 when unset) with all its descendants, and
 * must leave nothing behind WITNESS_SETTLE milliseconds later (3000): see
 * census.h.
 *
 * The outside of a test is a throwaway host: when the caller may, the
 * suite first enters PID, mount, UTS, IPC and network namespaces of its
 * own, so that a wrong solution run as root renames, mounts over or kills
 * nothing that matters.  There the host name is "outside".
 *
 * Strings that these functions return live until the test ends.  Every
 * function fails the running test when it cannot do what it says.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

/* ---- a suite ---------------------------------------------------------- */

/* As whom a suite's tests run when the caller is an ordinary user. */
enum witness_stand {
    AS_ROOT,  /* as root of a user namespace that the suite enters first */
    AS_CALLER /* as the user, without entering anything */
};

/*
 * Runs the suite and returns its exit status: 0 when no test failed, 1 when
 * one did, 125 on a usage error.  One line a test goes to stdout; results
 * are also appended to the file that WITNESS_TALLY names, if it is set.
 */
#define witness_run(argc, argv, tests, stand)                                \
    witness_run_tests(argc, argv, tests, sizeof(tests) / sizeof((tests)[0]), \
                      stand)
int witness_run_tests(int argc, char *argv[], const struct CMUnitTest tests[],
                      size_t count, enum witness_stand stand);

/*
 * Ends the test as skipped unless COND holds.  KEY is a word such as
 * "no-newuidmap": tests/expected-skips says on which kind of machine a skip
 * of that key may be.  REASON and REMEDY are for the reader.
 */
void skip_unless(bool cond, const char *key, const char *reason,
                 const char *remedy);

/* The box under test, as the suite was called: argv, NULL at its end. */
const char *const *box_words(void);

/* Where the tests are built: build/tests, as an absolute path. */
const char *tests_directory(void);
/* The path of the probe program; set another for boxes with a root
 * file system of their own (such as "/probe"). */
const char *probe_path(void);
void set_probe_path_inside(const char *path);

/* The user who called the suite, as the machine's first user namespace
 * counts: 0 for real root. */
uid_t calling_user(void);
/* Is the outside a throwaway host (see above)? */
bool outside_is_throwaway(void);

/* A directory of the test's own, mode 0755, removed after the test. */
const char *scratch(void);

/* ---- a probe: a pair of hands in a box ---------------------------------- */

struct probe;

/* Starts a probe without any box: the control. */
struct probe *probe_outside(void);

/* Starts BOX OPTION... -- PROBE.  probe_inside("--hostname", "ship") */
#define probe_inside(...) \
    probe_in_box(((const char *const[]){NULL, ##__VA_ARGS__, NULL, NULL}) + 1)
struct probe *probe_in_box(const char *const options[]);

/* Starts BOX -- BOX -- ... -- PROBE, DEPTH boxes deep. */
struct probe *probe_nested(unsigned depth);

/* Starts any command that ends in running the probe. */
struct probe *probe_start(const char *const argv[]);

/* The same four, as another user (root only): set before starting. */
void start_next_as(uid_t uid, gid_t gid);

/* The PID that the probe has outside, as the kernel translated it for
 * us: SCM_CREDENTIALS, unix(7). */
pid_t probe_pid(const struct probe *probe);
/* The PID of the process that was started: the box's own. */
pid_t probe_box_pid(const struct probe *probe);

/*
 * Asks the probe to do something (see tests/probe/probe.c for the list) and
 * returns its answer: "ok", "ok RESULT", or the name of an errno.
 */
const char *ask(struct probe *probe, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, but only sends, for what may end the probe.  hear() waits for
 * the answer, or returns NULL when the probe is gone. */
void tell(struct probe *probe, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *hear(struct probe *probe);

/* The number in an answer such as "ok 42". */
long ask_number(struct probe *probe, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says good-bye and waits for the box: its exit status, or 128+N.
 * probe_wait() only waits. */
int probe_end(struct probe *probe);
int probe_wait(struct probe *probe);
/* What the box has written to stderr until now. */
const char *probe_stderr(const struct probe *probe);

/* ---- a whole run of the box --------------------------------------------- */

struct outcome {
    int status; /* exit status, or 128+N */
    const char *out;
    const char *err;
};

/* Runs BOX WORD... to its end, stdin from /dev/null.
 *     struct outcome o = box_run("--", "sh", "-c", "exit 7");       */
#define box_run(...) \
    box_run_words(((const char *const[]){NULL, ##__VA_ARGS__, NULL, NULL}) + 1)
struct outcome box_run_words(const char *const words[]);
/* Runs any command; argv[0] is looked up in PATH. */
struct outcome run_command(const char *const argv[]);

/* ---- to look ----------------------------------------------------------- */

/* "ipc:[4026531839]" of a process: readlink(/proc/PID/ns/TYPE). */
const char *namespace_of(pid_t pid, const char *type);
/* The field NAME of /proc/PID/status, blanks made single. */
const char *status_field(pid_t pid, const char *name);
/* A whole file, up to 1 MiB. */
const char *file_text(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* The same with runs of blanks made single and none at the ends. */
const char *file_words(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
bool file_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* printf into a string that lives until the test ends. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A copy with runs of blanks made single and none at the ends. */
const char *squeeze(const char *string);

/* ---- to judge ---------------------------------------------------------- */

/*
 * Each of these is one observation: CLAIM is the sentence that it shows; on
 * failure the test prints the claim, what was expected, what the kernel
 * says, and SOURCE, where it was read.
 */
void observe_equal(const char *claim, const char *expected, const char *seen,
                   const char *source);
void observe_differs(const char *claim, const char *unwanted, const char *seen,
                     const char *source);
void observe_contains(const char *claim, const char *part, const char *seen,
                      const char *source);
void observe_lacks(const char *claim, const char *part, const char *seen,
                   const char *source);
void observe_true(const char *claim, bool seen, const char *source);

/* Asks, and compares the whole answer. */
void assert_answer(struct probe *probe, const char *expected,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The probe is in another namespace of TYPE than the outside / in the
 * same one.  TYPE: cgroup ipc mnt net pid time user uts. */
void assert_own_namespace(const struct probe *probe, const char *type);
void assert_shared_namespace(const struct probe *probe, const char *type);
/* Of all types, only those named (blank-separated) are its own. */
void assert_only_own_namespaces(const struct probe *probe, const char *types);

/* A field of /proc/PID/status; a whole file /proc/PID/FILE (blanks made
 * single). */
void assert_status_field(const struct probe *probe, const char *name,
                         const char *expected);
void assert_proc_file(const struct probe *probe, const char *file,
                      const char *expected);

/* The exit status of a run, and one line (exactly one) on stderr with
 * PART in it. */
void assert_status(const struct outcome *outcome, int expected);
void assert_one_line(const struct outcome *outcome, const char *part);

/* ---- to wait ----------------------------------------------------------- */

/* Waits until COND holds, looking again after each millisecond, at most
 * the test's bound; for what the kernel gives no event for.  Fails the test
 * with WHAT when the time is up. */
#define wait_until(cond, what)                                                \
    do {                                                                      \
        for (struct pause p_ = pause_begin(); !(cond); pause_next(&p_, what)) \
            ;                                                                 \
    } while (0)
struct pause {
    int64_t until_ns;
};
struct pause pause_begin(void);
void pause_next(struct pause *pause, const char *what);

/* The bound in seconds that a test has. */
unsigned witness_bound(void);

#endif
