/*
 * cases_test.c - tests that must fail, each in its own way, so that
 * witness_test.sh can see that the witness notices.  Only those whose names
 * begin with "good" pass.
 */
#include "witness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void good_claim_passes(void **state)
{
    (void)state;
    struct probe *inside = probe_inside(), *outside = probe_outside();

    assert_shared_namespace(outside, "uts");
    assert_own_namespace(inside, "uts");
    assert_only_own_namespaces(inside, "uts");
    assert_answer(inside, "ok", "sethostname ship");
    assert_answer(inside, "ok ship", "hostname");
    assert_answer(outside, "ok outside", "hostname");
    assert_int_equal(probe_end(inside), 0);
}

static void good_status_is_handed_on(void **state)
{
    (void)state;
    struct outcome exits = box_run("--", "sh", "-c", "exit 7");
    struct outcome dies = box_run("--", "sh", "-c", "kill -9 $$");

    assert_status(&exits, 7);
    assert_true(dies.status != 0);
}

static void false_claim(void **state)
{
    (void)state;
    assert_shared_namespace(probe_inside(), "uts");
}

static void false_answer(void **state)
{
    (void)state;
    assert_answer(probe_inside(), "EPERM", "sethostname ship");
}

static void box_that_fails(void **state)
{
    (void)state;
    probe_inside("--no-such-option");
}

static void hang_with_descendants(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();

    ask(inside, "ignore 15");
    ask(inside, "daemon");
    ask(inside, "fork 3");
    for (;;)
        pause();
}

static void probe_that_hangs(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();

    kill(probe_pid(inside), SIGSTOP);
    ask(inside, "getpid");
}

static void left_process(void **state)
{
    (void)state;
    struct probe *inside = probe_inside();

    ask(inside, "daemon");
    probe_end(inside);
}

static void left_mount(void **state)
{
    (void)state;
    assert_answer(probe_outside(), "ok", "mount tmpfs /mnt tmpfs");
}

static void left_file(void **state)
{
    (void)state;
    int fd = open("/tmp/left", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd != -1);
    close(fd);
    if (!outside_is_throwaway())
        unlink("/tmp/left");
}

static void left_group(void **state)
{
    (void)state;
    const char *root = getenv("CASE_GROUP");

    assert_non_null(root);
    assert_int_equal(mkdir(root, 0755), 0);
}

static void crash(void **state)
{
    (void)state;
    raise(SIGKILL);
}

static void skipped(void **state)
{
    (void)state;
    skip_unless(false, "some-key", "the reason", "the remedy");
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_claim_passes),
        cmocka_unit_test(good_status_is_handed_on),
        cmocka_unit_test(false_claim),
        cmocka_unit_test(false_answer),
        cmocka_unit_test(box_that_fails),
        cmocka_unit_test(hang_with_descendants),
        cmocka_unit_test(probe_that_hangs),
        cmocka_unit_test(left_process),
        cmocka_unit_test(left_mount),
        cmocka_unit_test(left_file),
        cmocka_unit_test(left_group),
        cmocka_unit_test(crash),
        cmocka_unit_test(skipped),
    };

    return witness_run(argc, argv, tests, AS_ROOT);
}
