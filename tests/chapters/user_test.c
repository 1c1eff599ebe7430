/*
 * user_test - a box with a user namespace of its own: root inside, nobody
 * special outside.
 *
 * The suite needs no privilege.  Called by an ordinary user, the box is run by
 * that user; called by root, the tests about ordinary users run it as USER,
 * and those about maps that only root may write run too.
 */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER = 4000, GROUP = 4001, OTHER_GROUP = 4002, FIRST = 20000 };
enum { MAX_WORDS = 32 };

/* ---- who runs the box --------------------------------------------------- */

static bool called_by_root(void)
{
    return geteuid() == 0;
}

static uid_t user_id(void)
{
    return called_by_root() ? USER : geteuid();
}

static gid_t user_group(void)
{
    return called_by_root() ? GROUP : getegid();
}

/* Root of a user namespace may have few ids, or only one. */
static void needs_root_with_ids(void)
{
    unsigned long count = 0;

    (void)sscanf(file_words("/proc/self/uid_map"), "%*u %*u %lu", &count);
    skip_unless(called_by_root() && count > FIRST + 1000, "needs-root",
                "the test gives away ids that only root has",
                "run the tests as root, or in the lab machine");
}

/* The project may stand where USER cannot go, such as /root. */
static const char *reachable(const char *path)
{
    if (!called_by_root() || !strchr(path, '/'))
        return path;
    const char *copy = text("%s%s", scratch(), strrchr(path, '/'));
    if (file_exists("%s", copy))
        return copy;
    struct outcome o = run_command(
        (const char *const[]){"install", "-m", "755", path, copy, NULL});
    assert_status(&o, 0);
    return copy;
}

/* Fills ARGV with HEAD, the box, OPTIONS, and leaves room for a command. */
static size_t user_box(const char *argv[], const char *const head[],
                       const char *const options[])
{
    const char *const *box = box_words();
    size_t used = 0;

    while (*head)
        argv[used++] = *head++;
    argv[used++] = reachable(*box++);
    while (*box)
        argv[used++] = *box++;
    while (*options)
        argv[used++] = *options++;
    return used;
}

static void become_user_next(void)
{
    if (called_by_root())
        start_next_as(USER, GROUP);
}

/* WORDS(a, b): an array of strings that ends in NULL. */
#define WORDS(...) \
    (((const char *const[]){NULL, ##__VA_ARGS__, NULL, NULL}) + 1)

/* A probe in the box, run by an ordinary user. */
#define user_inside(...) user_inside_words(WORDS(__VA_ARGS__))
static struct probe *user_inside_words(const char *const options[])
{
    const char *argv[MAX_WORDS];
    size_t used = user_box(argv, WORDS(), options);

    argv[used++] = "--";
    argv[used++] = reachable(probe_path());
    argv[used] = NULL;
    become_user_next();
    return probe_start(argv);
}

/* The control: the same user's probe without the box. */
static struct probe *user_outside(void)
{
    const char *probe = reachable(probe_path());

    become_user_next();
    return probe_start((const char *const[]){probe, NULL});
}

/* A run of HEAD BOX WORD... by an ordinary user. */
static struct outcome user_runs(const char *const head[],
                                const char *const words[])
{
    const char *argv[MAX_WORDS];

    argv[user_box(argv, head, words)] = NULL;
    become_user_next();
    return run_command(argv);
}

/* ---- files -------------------------------------------------------------- */

/* A directory in which everyone may make files. */
static const char *open_directory(void)
{
    const char *path = text("%s/open", scratch());

    if ((mkdir(path, 0777) == -1 && errno != EEXIST) || chmod(path, 0777) == -1)
        fail_msg("mkdir %s: %s", path, strerror(errno));
    return path;
}

static void write_text(const char *path, const char *content, mode_t mode)
{
    FILE *file = fopen(path, "we");

    if (!file || fputs(content, file) == EOF || fclose(file) == EOF ||
        chmod(path, mode) == -1)
        fail_msg("write %s: %s", path, strerror(errno));
}

/* What stat(2) says out here. */
static void assert_owner_on_disk(const char *path, uid_t uid, gid_t gid)
{
    struct stat st;

    if (lstat(path, &st) == -1)
        fail_msg("lstat %s: %s", path, strerror(errno));
    observe_equal("the file's owner and group on disk", text("%u %u", uid, gid),
                  text("%u %u", st.st_uid, st.st_gid), path);
}

/* ---- one id ------------------------------------------------------------- */

static void root_inside_is_the_caller_outside(void **state)
{
    (void)state;
    struct probe *outside = user_outside();
    struct probe *inside = user_inside();
    unsigned uid = user_id(), gid = user_group();

    assert_answer(outside, text("ok %u", uid), "getuid"); /* control */
    assert_answer(inside, "ok 0", "getuid");
    assert_answer(inside, "ok 0", "getgid");
    assert_status_field(inside, "Uid", text("%u %u %u %u", uid, uid, uid, uid));
    assert_status_field(inside, "Gid", text("%u %u %u %u", gid, gid, gid, gid));
}

static void maps_are_as_asked(void **state)
{
    (void)state;
    unsigned uid = user_id(), gid = user_group();
    struct probe *standard = user_inside();
    struct probe *asked = user_inside("--map", text("7:%u:1", uid), "--gmap",
                                      text("9:%u:1", gid));

    assert_proc_file(standard, "uid_map", text("0 %u 1", uid));
    assert_proc_file(standard, "gid_map", text("0 %u 1", gid));
    assert_proc_file(asked, "uid_map", text("7 %u 1", uid));
    assert_proc_file(asked, "gid_map", text("9 %u 1", gid));
    assert_answer(asked, "ok 7", "getuid");
    assert_answer(asked, "ok 9", "getgid");
    /* Control: out here there is another map. */
    observe_differs("the map outside", text("0 %u 1", uid),
                    file_words("/proc/self/uid_map"), "/proc/self/uid_map");
}

static void only_the_user_namespace_is_its_own(void **state)
{
    (void)state;
    assert_only_own_namespaces(user_inside(), "user");
}

static void file_of_root_inside_is_the_callers_on_disk(void **state)
{
    (void)state;
    struct probe *outside = user_outside();
    struct probe *inside = user_inside();
    const char *made_inside = text("%s/inside", open_directory());
    const char *made_outside = text("%s/outside", open_directory());
    const char *user = text("ok %u %u 644 file", user_id(), user_group());

    assert_answer(inside, "ok", "write %s x", made_inside);
    assert_answer(inside, "ok 0 0 644 file", "stat %s", made_inside);
    assert_answer(outside, user, "stat %s", made_inside);
    assert_owner_on_disk(made_inside, user_id(), user_group());
    /* Control: without the box it is the user's for the user, too. */
    assert_answer(outside, "ok", "write %s x", made_outside);
    assert_answer(outside, user, "stat %s", made_outside);
}

static void unmapped_owner_shows_as_the_overflow_id(void **state)
{
    (void)state;
    const char *overflow =
        text("ok %s %s 755 dir", file_words("/proc/sys/kernel/overflowuid"),
             file_words("/proc/sys/kernel/overflowgid"));

    assert_answer(user_outside(), "ok 0 0 755 dir", "stat /usr"); /* control */
    assert_answer(user_inside(), overflow, "stat /usr");
}

static void giving_a_file_to_an_unmapped_id_is_refused(void **state)
{
    (void)state;
    struct probe *inside = user_inside();
    const char *path = text("%s/file", open_directory());

    assert_answer(inside, "ok", "write %s x", path);
    assert_answer(inside, "ok", "chown %s 0 0", path); /* control */
    assert_answer(inside, "EINVAL", "chown %s 1 0", path);
    assert_answer(inside, "EINVAL", "setuid 1");
}

/* ---- capabilities -------------------------------------------------------- */

static void capabilities_count_only_inside(void **state)
{
    (void)state;
    struct probe *outside = user_outside();
    struct probe *inside = user_inside();
    const char *all = status_field(probe_pid(inside), "CapBnd");

    assert_status_field(outside, "CapEff", "0000000000000000"); /* control */
    assert_status_field(inside, "CapEff", all);
    /* The UTS namespace belongs to the outside... */
    assert_answer(inside, "EPERM", "sethostname ship");
    if (outside_is_throwaway()) /* control: real root may */
        assert_answer(probe_outside(), "ok", "sethostname ship");
    /* ...and this one to the box. */
    assert_answer(outside, "EPERM", "unshare uts");
    assert_answer(inside, "ok", "unshare uts");
    assert_answer(inside, "ok", "sethostname ship");
}

static void files_of_unmapped_owners_stay_closed_to_root_inside(void **state)
{
    (void)state;
    needs_root_with_ids();
    const char *path = text("%s/secret", scratch());

    write_text(path, "secret", 0600);
    assert_answer(probe_outside(), "ok", "open %s", path); /* control */
    assert_answer(probe_inside("--map", "0:1000:1", "--gmap", "0:1000:1"),
                  "EACCES", "open %s", path);
    assert_answer(user_inside(), "EACCES", "open %s", path);
}

/* ---- setgroups ----------------------------------------------------------- */

static void user_loses_setgroups_before_the_group_map(void **state)
{
    (void)state;
    struct probe *inside = user_inside();

    assert_proc_file(user_outside(), "setgroups", "allow"); /* control */
    assert_proc_file(inside, "setgroups", "deny");
    assert_answer(inside, "EPERM", "setgroups");
}

/* HEAD for user_box: USER with one more group. */
#define MEMBER_OF_OTHER_GROUP                                \
    WORDS("setpriv", "--reuid", text("%d", USER), "--regid", \
          text("%d", GROUP), "--groups", text("%d", OTHER_GROUP))

static struct probe *member(const char *const head[], const char *const box[])
{
    const char *argv[MAX_WORDS];
    size_t used = 0;

    while (*head)
        argv[used++] = *head++;
    while (*box)
        argv[used++] = *box++;
    argv[used++] = reachable(probe_path());
    argv[used] = NULL;
    return probe_start(argv);
}

static void file_denied_by_group_stays_denied(void **state)
{
    (void)state;
    needs_root_with_ids();
    const char *path = text("%s/not-for-the-group", scratch());
    const char *box = reachable(box_words()[0]);

    write_text(path, "secret", 0604);
    if (chown(path, 0, OTHER_GROUP) == -1)
        fail_msg("chown %s: %s", path, strerror(errno));
    struct probe *outside = member(MEMBER_OF_OTHER_GROUP, WORDS());
    struct probe *inside = member(MEMBER_OF_OTHER_GROUP, WORDS(box, "--"));

    assert_answer(outside, text("ok %d", OTHER_GROUP), "getgroups");
    assert_answer(outside, "EACCES", "open %s", path);
    assert_answer(inside, "EPERM", "setgroups");
    assert_answer(inside, "EACCES", "open %s", path);
    /* Control: with the defence off, the same user leaves the group and
     * reads the file.  Root made this map, so setgroups is not denied. */
    struct probe *attack = probe_start(
        (const char *const[]){"setpriv", "--groups", text("%d", OTHER_GROUP),
                              box, "--map", text("0:%d:1", USER), "--gmap",
                              text("0:%d:1", GROUP), "--",
                              reachable(probe_path()), NULL});
    assert_proc_file(attack, "setgroups", "allow");
    assert_answer(attack, "ok", "setgroups");
    assert_answer(attack, "ok", "open %s", path);
}

static void groups_of_root_do_not_come_along(void **state)
{
    (void)state;
    needs_root_with_ids();
    const char *groups = text("%d", OTHER_GROUP);
    const char *box = box_words()[0];

    assert_answer(probe_start((const char *const[]){"setpriv", "--groups",
                                                    groups, probe_path(),
                                                    NULL}),
                  text("ok %s", groups), "getgroups"); /* control */
    assert_answer(probe_start((const char *const[]){"setpriv", "--groups",
                                                    groups, box, "--map",
                                                    "0:20000:1000", "--gmap",
                                                    "0:20000:1000", "--",
                                                    probe_path(), NULL}),
                  "ok", "getgroups");
}

/* ---- maps that root writes ------------------------------------------------- */

static void root_can_make_1000_root_inside(void **state)
{
    (void)state;
    needs_root_with_ids();
    struct probe *inside =
        probe_inside("--map", "0:1000:1", "--gmap", "0:1000:1");
    const char *path = text("%s/file", open_directory());
    const char *control = text("%s/control", open_directory());

    assert_answer(inside, "ok", "write %s x", path);
    assert_answer(inside, "ok 0 0 644 file", "stat %s", path);
    assert_owner_on_disk(path, 1000, 1000);
    assert_status_field(inside, "Uid", "1000 1000 1000 1000");
    assert_answer(probe_outside(), "ok", "write %s x", control);
    assert_owner_on_disk(control, 0, 0);
}

static void range_shifts_every_owner_on_disk(void **state)
{
    (void)state;
    needs_root_with_ids();
    struct probe *inside =
        probe_inside("--map", "0:20000:1000", "--gmap", "0:30000:1000");
    const char *path = text("%s/file", open_directory());
    const char *control = text("%s/control", open_directory());

    assert_proc_file(inside, "uid_map", "0 20000 1000");
    assert_proc_file(inside, "gid_map", "0 30000 1000");
    assert_answer(inside, "ok", "write %s x", path);
    assert_owner_on_disk(path, 20000, 30000);
    assert_answer(inside, "ok", "chown %s 33 44", path);
    assert_answer(inside, "ok 33 44 644 file", "stat %s", path);
    assert_owner_on_disk(path, 20033, 30044);
    assert_answer(inside, "EINVAL", "chown %s 1000 0", path);
    assert_answer(probe_outside(), "ok", "write %s x", control);
    assert_answer(probe_outside(), "ok", "chown %s 33 44", control);
    assert_owner_on_disk(control, 33, 44);
}

static void several_lines_map_several_ids(void **state)
{
    (void)state;
    needs_root_with_ids();
    struct probe *inside = probe_inside("--map", "0:1000:1", "--map",
                                        "1:20000:10", "--gmap", "5:1000:1");
    const char *path = text("%s/file", open_directory());

    assert_proc_file(inside, "uid_map", "0 1000 1 1 20000 10");
    assert_answer(inside, "ok 0", "getuid");
    assert_answer(inside, "ok 5", "getgid");
    assert_answer(inside, "ok", "setuid 4");
    assert_answer(inside, "ok", "write %s x", path);
    assert_owner_on_disk(path, 20003, 1000);
}

/* ---- maps that newuidmap(1) writes ------------------------------------------ */

static void mount_over(const char *path, const char *content)
{
    const char *mine = text("%s%s", scratch(), strrchr(path, '/'));

    write_text(mine, content, 0644);
    if (mount(mine, path, NULL, MS_BIND, NULL) == -1)
        fail_msg("mount over %s: %s", path, strerror(errno));
}

/* The test's own mount namespace: no other test sees these files. */
static void grant(const char *subuid, const char *subgid)
{
    if (unshare(CLONE_NEWNS) == -1)
        fail_msg("unshare: %s", strerror(errno));
    mount_over("/etc/passwd", text("root:x:0:0::/:/bin/sh\n"
                                   "learner:x:%d:%d::/:/bin/sh\n",
                                   USER, GROUP));
    mount_over("/etc/subuid", subuid);
    mount_over("/etc/subgid", subgid);
}

/* The first id of the calling user's range in FILE, 0 when there is none. */
static unsigned granted(const char *file)
{
    /* cppcheck-suppress getpwuidCalled; one thread */
    struct passwd *user = getpwuid(geteuid());
    char *copy = strdup(file_text("%s", file)), *rest = copy, *line;
    unsigned first = 0, number;
    char name[64];

    while (user && (line = strsep(&rest, "\n")))
        if (sscanf(line, "%63[^:]:%u:", name, &number) == 2 &&
            (strcmp(name, user->pw_name) == 0 ||
             strcmp(name, text("%u", geteuid())) == 0))
            first = number;
    free(copy);
    return first;
}

static void user_gets_a_range_through_newuidmap(void **state)
{
    (void)state;
    unsigned uids = FIRST, gids = FIRST + 500;

    skip_unless(access("/usr/bin/newuidmap", X_OK) == 0, "no-newuidmap",
                "newuidmap(1) is not installed", "install the package uidmap");
    if (called_by_root()) {
        needs_root_with_ids();
        grant("learner:20000:100\n", "learner:20500:100\n");
    } else {
        uids = granted("/etc/subuid");
        gids = granted("/etc/subgid");
        skip_unless(uids && gids, "no-subuid-range",
                    "this user has no range in /etc/subuid and /etc/subgid",
                    "as root: usermod --add-subuids 100000-165535"
                    " --add-subgids 100000-165535 USER");
    }
    struct probe *inside = user_inside("--map", text("0:%u:1", user_id()),
                                       "--map", text("1:%u:50", uids), "--gmap",
                                       text("0:%u:1", user_group()), "--gmap",
                                       text("1:%u:50", gids));
    const char *path = text("%s/file", open_directory());

    assert_proc_file(inside, "uid_map",
                     text("0 %u 1 1 %u 50", user_id(), uids));
    assert_proc_file(inside, "gid_map",
                     text("0 %u 1 1 %u 50", user_group(), gids));
    assert_answer(inside, "ok", "write %s x", path);
    assert_owner_on_disk(path, user_id(), user_group());
    assert_answer(inside, "ok", "chown %s 33 44", path);
    assert_owner_on_disk(path, uids + 32, gids + 43);
    /* Control: without the box, the user may not give files away. */
    assert_answer(user_outside(), "EPERM", "chown %s 33 44", path);
    assert_answer(inside, "ok", "unlink %s", path);
}

static void user_without_a_range_is_refused(void **state)
{
    (void)state;

    skip_unless(access("/usr/bin/newuidmap", X_OK) == 0, "no-newuidmap",
                "newuidmap(1) is not installed", "install the package uidmap");
    if (called_by_root()) {
        needs_root_with_ids();
        grant("someone:20000:100\n", "someone:20000:100\n");
    }
    /* An id that nobody is granted: real root's. */
    struct outcome o =
        user_runs(WORDS(), WORDS("--map", text("0:%u:1", user_id()), "--map",
                                 "1:0:1", "--", "true"));
    assert_status(&o, 125);
    assert_one_line(&o, "newuidmap");
}

static void missing_newuidmap_is_named_with_its_remedy(void **state)
{
    (void)state;
    struct outcome o =
        user_runs(WORDS("env", "PATH=/nowhere"),
                  WORDS("--map", text("0:%u:1", user_id()), "--map",
                        "1:20000:10", "--", "/bin/true"));

    assert_status(&o, 125);
    assert_one_line(&o, "newuidmap: No such file or directory");
    assert_one_line(&o, "install the package uidmap");
}

/* ---- bad maps ----------------------------------------------------------- */

static void senseless_maps_are_refused_in_one_line(void **state)
{
    (void)state;
    const char *own = text("0:%u:1", user_id());
    const char *ran = text("%s/ran", open_directory());
    const char *const bad[][2] = {
        {"0:0:0",                    "COUNT from 1"},
        {"4294967295:0:1",           "up to"       },
        {"0:4294967295:1",           "up to"       },
        {"4294967294:0:2",           "up to"       },
        {"0:0:4294967296",           "up to"       },
        {"0:18446744073709551616:1", "INSIDE"      },
        {"",                         "INSIDE"      },
        {"1",                        "INSIDE"      },
        {"1:2",                      "INSIDE"      },
        {"1:2:3:4",                  "INSIDE"      },
        {"0:-1:1",                   "INSIDE"      },
        {"0x0:0:1",                  "INSIDE"      },
        {" 0:0:1",                   "INSIDE"      },
        {"0:0:1 ",                   "INSIDE"      },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (int groups = 0; groups < 2; groups++) {
            struct outcome o =
                user_runs(WORDS(), WORDS(groups ? "--gmap" : "--map", bad[i][0],
                                         "--", "touch", ran));
            assert_status(&o, 125);
            assert_one_line(&o, bad[i][1]);
        }
    observe_true("the command was not started", !file_exists("%s", ran), ran);
    struct outcome good =
        user_runs(WORDS(), WORDS("--map", own, "--", "touch", ran));
    assert_status(&good, 0); /* control */
    observe_true("the command was started", file_exists("%s", ran), ran);
    assert_int_equal(unlink(ran), 0);
}

static void id_mapped_twice_is_refused_in_one_line(void **state)
{
    (void)state;
    needs_root_with_ids();
    struct outcome inside =
        box_run("--map", "0:1000:2", "--map", "1:2000:1", "--", "true");
    struct outcome outside =
        box_run("--gmap", "0:1000:2", "--gmap", "5:1001:1", "--", "true");
    struct outcome good = /* control */
        box_run("--map", "0:1000:2", "--map", "2:1002:1", "--", "true");

    assert_status(&inside, 125);
    assert_one_line(&inside, "uid_map: Invalid argument (map no id twice");
    assert_status(&outside, 125);
    assert_one_line(&outside, "gid_map: Invalid argument (map no id twice");
    assert_status(&good, 0);
}

static void map_of_more_than_a_page_is_refused_in_one_line(void **state)
{
    (void)state;
    /* 300 lines are too many bytes, and 200 are not. */
    const char *many =
        "i=0; while [ $i -lt $N ]; do set -- \"$@\" --map $((1000000000 + i))"
        ":$((1000000 + i)):1; i=$((i + 1)); done; exec \"$@\" -- true";
    struct outcome o =
        user_runs(WORDS("env", "N=300", "sh", "-c", many, "sh"), WORDS());

    assert_status(&o, 125);
    assert_one_line(&o, "less than a page");
    if (!called_by_root())
        return;
    needs_root_with_ids();
    o = run_command(
        WORDS("env", "N=100", "sh", "-c", many, "sh", box_words()[0]));
    assert_status(&o, 0); /* control */
}

/* What the kernel makes of MAP, which a process writes for itself. */
static const char *map_as_the_kernel_takes_it(const char *map)
{
    const char *path = text("%s/as-taken", open_directory());
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int fd = unshare(CLONE_NEWUSER) == -1
                     ? -1
                     : open("/proc/self/uid_map", O_RDWR | O_CLOEXEC);
        if (fd == -1 || write(fd, map, strlen(map)) == -1)
            _exit(1);
        write_text(path, file_words("/proc/self/uid_map"), 0644);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return file_words("%s", path);
}

static void number_over_32_bits_does_not_pass_for_another(void **state)
{
    (void)state;
    const char *wide = text("%llu", 4294967296ULL + geteuid());
    struct outcome o = box_run("--map", text("0:%s:1", wide), "--", "true");

    assert_status(&o, 125);
    assert_one_line(&o, "up to 4294967294");
    /* Control: the kernel itself takes it for the caller's own id. */
    observe_equal("the map that the kernel made of it",
                  text("0 %u 1", geteuid()),
                  map_as_the_kernel_takes_it(text("0 %s 1", wide)),
                  "/proc/self/uid_map");
}

static void foreign_id_is_refused_with_a_reason(void **state)
{
    (void)state;
    /* In here nobody has an id 5. */
    struct outcome o = user_runs(WORDS("unshare", "--user", "--map-root-user"),
                                 WORDS("--map", "0:5:1", "--", "true"));

    assert_status(&o, 125);
    assert_one_line(&o, "uid_map: Operation not permitted (map no id twice,"
                        " and only ids that /proc/self/uid_map has");
}

/* ---- the order of events -------------------------------------------------- */

/* Starts BOX with a newuidmap that waits until "go" is written to. */
static pid_t start_with_slow_maps(const char *ran)
{
    const char *place = open_directory();
    const char *helper = text("%s/newuidmap", place);
    const char *argv[MAX_WORDS];
    size_t used =
        user_box(argv, WORDS("env", text("PATH=%s:/usr/bin:/bin", place)),
                 WORDS("--map", text("0:%u:1", user_id()), "--map",
                       "1:20000:10", "--", "touch", ran));

    argv[used] = NULL;
    if (mkfifo(text("%s/go", place), 0600) == -1 ||
        chmod(text("%s/go", place), 0666) == -1)
        fail_msg("mkfifo: %s", strerror(errno));
    write_text(helper,
               text("#!/bin/sh\necho $1 >%s/new && mv %s/new %s/child\n"
                    "read go <%s/go\nexit 1\n",
                    place, place, place, place),
               0755);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (called_by_root() && (setresgid(GROUP, GROUP, GROUP) == -1 ||
                                 setresuid(USER, USER, USER) == -1))
            _exit(1);
        execvp(argv[0], (char *const *)argv);
        _exit(1);
    }
    return pid;
}

/* The child, which waits for its maps. */
static pid_t child_without_maps(void)
{
    const char *file = text("%s/child", open_directory());

    wait_until(file_exists("%s", file), "the box did not call newuidmap");
    return (pid_t)atoi(file_text("%s", file));
}

static void let_newuidmap_go_on(void)
{
    write_text(text("%s/go", open_directory()), "\n", 0666);
}

static bool sleeping(pid_t pid)
{
    return strncmp(status_field(pid, "State"), "S", 1) == 0;
}

static void command_does_not_start_before_the_maps(void **state)
{
    (void)state;
    const char *ran = text("%s/ran", open_directory());
    pid_t box = start_with_slow_maps(ran);
    pid_t child = child_without_maps();
    int status;

    wait_until(sleeping(child), "the child did not come to wait");
    observe_equal("the child has no map yet", "",
                  file_words("/proc/%d/uid_map", child),
                  text("/proc/%d/uid_map", child));
    observe_equal("the child is still the box's program",
                  file_words("/proc/%d/comm", box),
                  file_words("/proc/%d/comm", child),
                  text("/proc/%d/comm", child));
    /* This newuidmap fails: then the child must not start either. */
    let_newuidmap_go_on();
    assert_int_equal(waitpid(box, &status, 0), box);
    observe_equal("the box's exit status", "125",
                  text("%d", WEXITSTATUS(status)), "waitpid(2)");
    wait_until(!file_exists("/proc/%d", child), "the child hangs");
    observe_true("the command was not started", !file_exists("%s", ran), ran);
}

static void child_ends_when_its_parent_dies_before_the_maps(void **state)
{
    (void)state;
    const char *ran = text("%s/ran", open_directory());
    pid_t box = start_with_slow_maps(ran);
    pid_t child = child_without_maps();
    int status;

    wait_until(sleeping(child), "the child did not come to wait");
    assert_int_equal(kill(box, SIGKILL), 0);
    assert_int_equal(waitpid(box, &status, 0), box);
    wait_until(!file_exists("/proc/%d", child), "the child hangs");
    observe_true("the command was not started", !file_exists("%s", ran), ran);
    let_newuidmap_go_on();
}

/* ---- the demo ----------------------------------------------------------- */

static void demo_shows_the_owner_inside_and_outside(void **state)
{
    (void)state;
    struct outcome o = user_runs(WORDS(), WORDS());
    const char *const story[] = {
        "inside  | is uid 65534: no maps yet\n",
        text("uid_map: 0 %u 1\n", user_id()),
        "setgroups: deny\n",
        text("gid_map: 0 %u 1\n", user_group()),
        "inside  | is uid 0\n"
        "inside  | makes a file; its owner is uid 0\n",
        text("outside | sees the file; its owner is uid %u\n", user_id()),
        "inside  | chroot: done\n",
    };
    const char *at = o.out;

    assert_status(&o, 0);
    for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++) {
        observe_contains("the demo tells it, in this order", story[i], at,
                         "stdout");
        at = strstr(at, story[i]);
    }
}

static void demo_of_root_makes_1000_root(void **state)
{
    (void)state;
    needs_root_with_ids();
    struct outcome o = box_run_words(WORDS());

    assert_status(&o, 0);
    observe_contains("the article's example", "its owner is uid 1000\n", o.out,
                     "stdout");
    observe_contains("root outside is out of reach",
                     "kill process 1: Operation not permitted\n", o.out,
                     "stdout");
}

static void demo_works_in_a_user_namespace_of_one_id(void **state)
{
    (void)state;
    struct outcome o =
        user_runs(WORDS("unshare", "--user", "--map-root-user"), WORDS());

    assert_status(&o, 0);
    observe_contains("root of a user namespace has but one id",
                     "uid_map: 0 0 1", o.out, "stdout");
}

/* Writes to a pipe until it has no room: who writes next stands still. */
static void fill(int fd)
{
    static const char page[4096];

    while (write(fd, page, sizeof(page)) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

/* The demo is killed at its first line, which the child writes.  That no
 * process and no file is left is seen by the census. */
static void demo_that_is_killed_leaves_nothing(void **state)
{
    (void)state;
    int ends[2], status;
    pid_t child = 0;

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    fill(ends[1]);
    pid_t box = fork();
    if (box == 0) {
        if (dup2(ends[1], 1) == 1)
            execvp(box_words()[0], (char *const *)box_words());
        _exit(1);
    }
    close(ends[1]);
    wait_until((child = atoi(
                    file_text("/proc/%d/task/%d/children", box, box))) != 0 &&
                   sleeping(child),
               "the demo did not write its first line");
    assert_int_equal(kill(box, SIGKILL), 0);
    assert_int_equal(waitpid(box, &status, 0), box);
    close(ends[0]); /* SIGPIPE for who is left */
    wait_until(!file_exists("/proc/%d", child), "the child hangs");
}

/* ---- the box convention --------------------------------------------------- */

static void exit_status_is_the_commands_own(void **state)
{
    (void)state;
    for (int status = 0; status < 256; status += 51) {
        struct outcome o = box_run("--", "sh", "-c", text("exit %d", status));
        assert_status(&o, status);
    }
    /* Even when the caller ignores SIGCHLD. */
    struct outcome o = user_runs(WORDS("env", "--ignore-signal=CHLD"),
                                 WORDS("--", "sh", "-c", "exit 7"));
    assert_status(&o, 7);
}

static void signal_n_is_reported_as_128_plus_n(void **state)
{
    (void)state;
    struct outcome o = box_run("--", "sh", "-c", "kill -TERM $$");

    assert_status(&o, 128 + SIGTERM);
}

static void missing_command_is_127(void **state)
{
    (void)state;
    struct outcome o = box_run("--", "/no/such/command");

    assert_status(&o, 127);
    assert_one_line(&o, "/no/such/command: No such file or directory");
}

static void command_that_cannot_be_executed_is_126(void **state)
{
    (void)state;
    struct outcome o = box_run("--", "/etc/passwd");

    assert_status(&o, 126);
    assert_one_line(&o, "/etc/passwd: Permission denied");
}

static void help_goes_to_stdout(void **state)
{
    (void)state;
    struct outcome o = box_run("--help");

    assert_status(&o, 0);
    observe_contains("the usage", "usage: user [--map", o.out, "stdout");
    observe_equal("nothing on stderr", "", o.err, "stderr");
}

static void usage_error_is_one_line_and_125(void **state)
{
    (void)state;
    struct outcome unknown = box_run("--no-such-option", "--", "true");
    struct outcome incomplete = box_run("--map");

    assert_status(&unknown, 125);
    assert_one_line(&unknown, "--no-such-option");
    assert_status(&incomplete, 125);
    assert_one_line(&incomplete, "--map");
}

static void options_of_the_command_are_its_own(void **state)
{
    (void)state;
    struct outcome o = box_run("echo", "--map", "x");

    assert_status(&o, 0);
    observe_equal("what echo got", "--map x\n", o.out, "stdout");
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    (void)state;
    const char *const close_it[] = {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"};

    for (size_t i = 0; i < sizeof(close_it) / sizeof(close_it[0]); i++) {
        const char *line = text("exec \"$@\" %s", close_it[i]);
        struct outcome o =
            user_runs(WORDS("sh", "-c", line, "sh"),
                      WORDS("--", "sh", "-c", "test $(id -u) = 0 && exit 9"));
        assert_status(&o, 9);
        o = user_runs(WORDS("sh", "-c", line, "sh"), WORDS());
        assert_status(&o, 0);
    }
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct outcome o =
        user_runs(WORDS("sh", "-c", "exec \"$@\" >/dev/full", "sh"), WORDS());

    assert_status(&o, 125);
}

static void box_leaves_no_descriptor_to_the_command(void **state)
{
    (void)state;
    /* The caller's own are the caller's business: the control. */
    assert_answer(user_inside(), ask(user_outside(), "fds"), "fds");
}

static void no_user_namespaces_left_is_named_with_its_remedy(void **state)
{
    (void)state;
    /* Root of a user namespace may forbid any below it. */
    const char *line =
        "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
    struct outcome o = user_runs(WORDS("unshare", "--user", "--map-root-user",
                                       "sh", "-c", line, "sh"),
                                 WORDS("--", "true"));

    assert_status(&o, 125);
    assert_one_line(&o, "clone(CLONE_NEWUSER): No space left on device");
    assert_one_line(&o, "user.max_user_namespaces");
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_inside_is_the_caller_outside),
        cmocka_unit_test(maps_are_as_asked),
        cmocka_unit_test(only_the_user_namespace_is_its_own),
        cmocka_unit_test(file_of_root_inside_is_the_callers_on_disk),
        cmocka_unit_test(unmapped_owner_shows_as_the_overflow_id),
        cmocka_unit_test(giving_a_file_to_an_unmapped_id_is_refused),
        cmocka_unit_test(capabilities_count_only_inside),
        cmocka_unit_test(files_of_unmapped_owners_stay_closed_to_root_inside),
        cmocka_unit_test(user_loses_setgroups_before_the_group_map),
        cmocka_unit_test(file_denied_by_group_stays_denied),
        cmocka_unit_test(groups_of_root_do_not_come_along),
        cmocka_unit_test(root_can_make_1000_root_inside),
        cmocka_unit_test(range_shifts_every_owner_on_disk),
        cmocka_unit_test(several_lines_map_several_ids),
        cmocka_unit_test(user_gets_a_range_through_newuidmap),
        cmocka_unit_test(user_without_a_range_is_refused),
        cmocka_unit_test(missing_newuidmap_is_named_with_its_remedy),
        cmocka_unit_test(senseless_maps_are_refused_in_one_line),
        cmocka_unit_test(id_mapped_twice_is_refused_in_one_line),
        cmocka_unit_test(map_of_more_than_a_page_is_refused_in_one_line),
        cmocka_unit_test(number_over_32_bits_does_not_pass_for_another),
        cmocka_unit_test(foreign_id_is_refused_with_a_reason),
        cmocka_unit_test(command_does_not_start_before_the_maps),
        cmocka_unit_test(child_ends_when_its_parent_dies_before_the_maps),
        cmocka_unit_test(demo_shows_the_owner_inside_and_outside),
        cmocka_unit_test(demo_of_root_makes_1000_root),
        cmocka_unit_test(demo_works_in_a_user_namespace_of_one_id),
        cmocka_unit_test(demo_that_is_killed_leaves_nothing),
        cmocka_unit_test(exit_status_is_the_commands_own),
        cmocka_unit_test(signal_n_is_reported_as_128_plus_n),
        cmocka_unit_test(missing_command_is_127),
        cmocka_unit_test(command_that_cannot_be_executed_is_126),
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(usage_error_is_one_line_and_125),
        cmocka_unit_test(options_of_the_command_are_its_own),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(output_that_cannot_be_written_is_an_error),
        cmocka_unit_test(box_leaves_no_descriptor_to_the_command),
        cmocka_unit_test(no_user_namespaces_left_is_named_with_its_remedy),
    };
    return witness_run(argc, argv, tests, AS_CALLER);
}
