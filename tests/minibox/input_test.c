/*
 * input_test.c - minibox with bad input: one clear line, the documented
 * status, nothing left.
 */
#include "witness.h"

#include <errno.h>
#include <string.h>

#include "tree.h"

enum { MOST_WORDS = 8 };

/* Each row: words after "minibox", "@" for a good root filesystem. */
struct bad {
    const char *words[MOST_WORDS];
    int status;
    const char *says;
};

static void run_all(const struct bad *bad, const char *tree)
{
    for (; bad->says; bad++) {
        const char *words[MOST_WORDS + 1] = {NULL};
        for (int i = 0; i < MOST_WORDS && bad->words[i]; i++)
            words[i] = strcmp(bad->words[i], "@") == 0 ? tree : bad->words[i];
        struct outcome o = box_run_words(words);
        assert_status(&o, bad->status);
        assert_one_line(&o, bad->says);
        observe_contains("the line says who speaks", "minibox: ", o.err,
                         "stderr");
        observe_equal("stdout is empty", "", o.out, "stdout");
    }
}

static void unknown_words_are_usage_errors(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {{NULL},                      125, "a verb is missing"          },
        {{""},                        125, "no such verb"               },
        {{"frob"},                    125, "frob: no such verb"         },
        {{"--frob"},                  125, "--frob: no such verb"       },
        {{"help", "frob"},            125, "frob: no such verb"         },
        {{"run", "--frob", "@", "x"}, 125, "--frob: no such option"     },
        {{"run", "-m", "@", "x"},     125, "-m: no such option"         },
        {{"run", "--mem", "1", "@"},  125, "--mem: no such option"      },
        {{"run", "--memoryy=1", "@"}, 125, "--memoryy=1: no such option"},
        {{"run", "--memory"},         125, "--memory: SIZE is missing"  },
        {{"run", "--hostname"},       125, "--hostname: NAME is missing"},
        {{"run"},                     125, "ROOTFS is missing"          },
        {{"run", "--"},               125, "ROOTFS is missing"          },
        {{"run", "@"},                125, "COMMAND is missing"         },
        {{"run", "@", "--"},          125, "COMMAND is missing"         },
        {{NULL},                      0,   NULL                         },
    };

    run_all(bad, bare_tree("root"));
}

static void sizes_must_be_sizes(void **state)
{
    (void)state;
    static const char *const sizes[] = {
        "999999999999G",
        "-1",
        "abc",
        "",
        "0",
        "16X",
        "16MM",
        "1.5G",
        " 16M",
        "16M ",
        "0x1",
        "M",
        "+1",
        "0G",
        "9223372036854775808",
        "18446744073709551616",
        "8388608T",
    };
    const char *tree = bare_tree("root");

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct outcome o =
            box_run("run", text("--memory=%s", sizes[i]), tree, "/probe");
        assert_status(&o, 125);
        assert_one_line(&o, "not a size such as 64M");
    }
}

static void counts_must_be_counts(void **state)
{
    (void)state;
    static const char *const counts[] = {
        "0", "1", "x", "", "-5", "10K", "4294967296", "99999999999999999999",
    };
    const char *tree = bare_tree("root");

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct outcome o = box_run("run", "--pids", counts[i], tree, "/probe");
        assert_status(&o, 125);
        assert_one_line(&o, text("--pids %s: not a number", counts[i]));
    }
}

static void host_names_must_be_names(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    const char *longest = "a234567890b234567890c234567890d234567890"
                          "e234567890f2345678901234";
    const char *const names[] = {"",        "two words", "line\nfeed",
                                 "\033[2J", "a/b",       text("%sx", longest)};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct outcome o =
            box_run("run", "--hostname", names[i], tree, "/probe");
        assert_status(&o, 125);
        assert_one_line(&o, "--hostname");
    }
    assert_answer(probe_inside("run", "--hostname", longest, tree),
                  text("ok %s", longest), "hostname");
}

static void root_filesystem_must_be_a_directory(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    const char *missing = text("%s/missing", tree);
    const char *file = text("%s/probe", tree);
    const struct bad bad[] = {
        {{"run", missing, "x"}, 125, "No such file or directory"},
        {{"run", file, "x"},    125, "Not a directory"          },
        {{"run", "", "x"},      125, "No such file or directory"},
        {{NULL},                0,   NULL                       },
    };

    run_all(bad, tree);
}

/* What others may not search is closed to root inside as well. */
static void root_filesystem_must_be_searchable(void **state)
{
    (void)state;
    const char *tree = tree_with_shell("root");

    must(chmod(tree, 0) == 0, tree);
    struct outcome o = box_run("run", tree, "/probe");
    must(chmod(tree, 0755) == 0, tree);
    assert_status(&o, 125);
    assert_one_line(&o, "Permission denied");
}

static void empty_tree_has_no_command(void **state)
{
    (void)state;
    const char *tree = text("%s/empty", scratch());

    make_directory(tree, 0755);
    struct outcome o = box_run("run", tree, "/bin/true");
    assert_status(&o, 127);
    assert_one_line(&o, "/bin/true: No such file or directory");
}

static void read_only_tree_without_places_is_refused(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    struct outcome o = run_command((const char *const[]){
        "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
        "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro,nosuid,nodev "
        "\"$0\" && exec \"$@\"",
        tree, box_words()[0], "run", tree, "/probe", NULL});

    assert_status(&o, 125);
    assert_one_line(&o, "/proc is missing in the root filesystem, and cannot "
                        "be made there");
}

static void commands_must_be_there_and_run(void **state)
{
    (void)state;
    const char *tree = tree_with_shell("root");
    const struct bad bad[] = {
        {{"run", "@", "nope"},       127, "nope: No such file"        },
        {{"run", "@", "--", "nope"}, 127, "nope: No such file"        },
        {{"run", "@", "/bin/nope"},  127, "/bin/nope: No such file"   },
        {{"run", "@", "/bin/sh/x"},  126, "/bin/sh/x: Not a directory"},
        {{"run", "@", "/tmp"},       126, "/tmp: Permission denied"   },
        {{"run", "@", "/data"},      126, "/data: Permission denied"  },
        {{"run", "@", "/script"},    127, "its interpreter"           },
        {{"run", "@", ""},           127, "No such file"              },
        {{NULL},                     0,   NULL                        },
    };
    FILE *script = fopen(text("%s/script", tree), "we");

    fputs("#!/no/such/interpreter\n", script);
    must(fchmod(fileno(script), 0755) == 0 && fclose(script) == 0, tree);
    copy_program("/etc/passwd", text("%s/data", tree));
    must(chmod(text("%s/data", tree), 0644) == 0, tree);
    run_all(bad, tree);
}

static void words_after_the_command_are_its_own(void **state)
{
    (void)state;
    struct outcome o = box_run("run", tree_with_shell("root"), "busybox",
                               "echo", "--memory", "--", "-1", "--help");

    assert_status(&o, 0);
    observe_equal("stdout", "--memory -- -1 --help\n", o.out, "stdout");
}

static void help_goes_to_stdout(void **state)
{
    (void)state;
    static const char *const ways[][3] = {
        {"--help", NULL    },
        {"-h",     NULL    },
        {"help",   NULL    },
        {"help",   "run"   },
        {"run",    "--help"},
        {"run",    "-h"    },
    };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct outcome o = box_run_words(ways[i]);
        assert_status(&o, 0);
        observe_contains("stdout", "Usage: minibox", o.out, "stdout");
        observe_equal("stderr is empty", "", o.err, "stderr");
    }
    struct outcome o = box_run("help", "run");
    static const char *const options[] = {"--memory SIZE", "--pids N",
                                          "--hostname NAME", "ROOTFS"};
    for (size_t i = 0; i < 4; i++)
        observe_contains("every option is explained", options[i], o.out,
                         "stdout");
}

static void help_to_a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct outcome o = run_command(
        (const char *const[]){"sh", "-c", "exec \"$@\" >/dev/full", "sh",
                              box_words()[0], "--help", NULL});

    assert_status(&o, 125);
    assert_one_line(&o, "write to stdout: No space left on device");
}

/* Runs minibox with some of 0, 1, 2 closed. */
static struct outcome run_closed(const char *closing, const char *tree,
                                 const char *script)
{
    return run_command((const char *const[]){"sh", "-c",
                                             text("exec \"$@\" %s", closing),
                                             "sh", box_words()[0], "run", tree,
                                             "sh", "-c", script, NULL});
}

static void closed_descriptors_do_no_harm(void **state)
{
    (void)state;
    static const char *const ways[] = {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"};
    const char *tree = tree_with_shell("root");

    for (size_t i = 0; i < 4; i++) {
        struct outcome o = run_closed(ways[i], tree, "exit 7");
        assert_status(&o, 7);
        /* Three open, and what was closed is /dev/null. */
        o = run_closed(ways[i], tree,
                       "for i in 0 1 2; do [ -e /proc/self/fd/$i ] || exit 8; "
                       "done; [ ! -e /proc/self/fd/3 ] || exit 9; echo x");
        assert_status(&o, 0);
        o = run_closed(ways[i], tree, "exec nope");
        assert_status(&o, 127);
    }
    struct outcome o = run_closed("2>&-", tree, "echo x; echo y >&2");
    observe_equal("stdout is not stderr", "x\n", o.out, "stdout");
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_words_are_usage_errors),
        cmocka_unit_test(sizes_must_be_sizes),
        cmocka_unit_test(counts_must_be_counts),
        cmocka_unit_test(host_names_must_be_names),
        cmocka_unit_test(root_filesystem_must_be_a_directory),
        cmocka_unit_test(root_filesystem_must_be_searchable),
        cmocka_unit_test(empty_tree_has_no_command),
        cmocka_unit_test(read_only_tree_without_places_is_refused),
        cmocka_unit_test(commands_must_be_there_and_run),
        cmocka_unit_test(words_after_the_command_are_its_own),
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(help_to_a_full_disk_is_an_error),
        cmocka_unit_test(closed_descriptors_do_no_harm),
    };
    return witness_run(argc, argv, tests, AS_CALLER);
}
