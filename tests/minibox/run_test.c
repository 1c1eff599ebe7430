/*
 * run_test.c - minibox run: what it isolates, limits, passes on and leaves.
 *
 * As root the container's root is 100000 outside, as a user it is that
 * user: the suite runs as the caller.
 */
#include "witness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tree.h"

/* ---- what is its own -------------------------------------------------- */

static void namespaces_are_its_own(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_only_own_namespaces(inside, "cgroup ipc mnt net pid user uts");
}

static void host_name_is_its_own(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    const char *before = ask(outside, "hostname");
    struct probe *inside =
        probe_inside("run", "--hostname", "ship", bare_tree("root"));

    assert_answer(inside, "ok ship", "hostname");
    assert_answer(inside, "ok", "sethostname boat");
    assert_answer(inside, "ok boat", "hostname");
    assert_answer(outside, before, "hostname");
}

static void host_name_is_minibox_unless_given(void **state)
{
    (void)state;
    assert_answer(probe_inside("run", bare_tree("root")), "ok minibox",
                  "hostname");
}

static void processes_are_its_own(void **state)
{
    (void)state;
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_answer(inside, "ok 2", "getpid");
    assert_answer(inside, "ok 1", "getppid");
    assert_answer(inside, "ok 1", "getsid");
    const char *names = text(" %s ", ask(inside, "ls /proc"));
    observe_contains("/proc has init", " 1 ", names, "inside: ls /proc");
    observe_contains("/proc has the command", " 2 ", names, "inside: ls /proc");
    observe_lacks("/proc has no third process", " 3 ", names,
                  "inside: ls /proc");
    int other = (int)probe_pid(outside);
    if (other > 2) {
        observe_contains("control: the other probe is in the outside's /proc",
                         text(" %d ", other),
                         text(" %s ", ask(outside, "ls /proc")),
                         "outside: ls /proc");
        observe_lacks("/proc has none of the outside's", text(" %d ", other),
                      names, "inside: ls /proc");
    }
}

static void network_is_its_own(void **state)
{
    (void)state;
    struct probe *outside = probe_outside(), *other = probe_outside();
    struct probe *inside = probe_inside("run", bare_tree("root"));
    const char *name = text("minibox-%d", (int)getpid());

    assert_answer(outside, "ok", "listen %s", name);
    assert_answer(other, "ok", "connect %s", name);
    assert_answer(inside, "ECONNREFUSED", "connect %s", name);
    assert_answer(inside, "ok lo", "links");
}

/* An interface that is up has its addresses in the routing table. */
static const char *addresses(const struct probe *probe)
{
    return file_text("/proc/%d/net/fib_trie", (int)probe_pid(probe));
}

static void loopback_is_up(void **state)
{
    (void)state;
    struct probe *down = probe_start(
        (const char *const[]){"unshare", "--user", "--map-root-user", "--net",
                              probe_path(), NULL});
    struct probe *inside = probe_inside("run", bare_tree("root"));

    observe_lacks("control: in a new network namespace lo is down", "127.0.0.1",
                  addresses(down), "/proc/PID/net/fib_trie");
    observe_contains("lo is up", "127.0.0.1", addresses(inside),
                     "/proc/PID/net/fib_trie");
}

/* ---- who is who ------------------------------------------------------- */

/* What 0 inside is outside: the second number of the map's first line. */
static unsigned mapped_root(const struct probe *probe)
{
    unsigned outside = 0;

    sscanf(file_words("/proc/%d/uid_map", (int)probe_pid(probe)), "0 %u",
           &outside);
    return outside;
}

static void root_inside_is_not_root_outside(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));
    unsigned root = mapped_root(inside);

    assert_answer(inside, "ok 0", "getuid");
    assert_answer(inside, "ok 0", "getgid");
    observe_differs("root inside is somebody else outside", "0",
                    text("%u", root), "/proc/PID/uid_map");
    assert_status_field(inside, "Uid",
                        text("%u %u %u %u", root, root, root, root));
    if (calling_user() == 0)
        assert_status_field(inside, "Groups", "");
    else
        observe_equal("root inside is the user", text("%u", calling_user()),
                      text("%u", root), "/proc/PID/uid_map");
}

static void file_made_inside_belongs_to_the_mapped_user(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    struct probe *inside = probe_inside("run", tree);
    struct stat st;

    assert_answer(inside, "ok", "write /tmp/letter hello");
    assert_answer(inside, "ok 0 0 644 file", "stat /tmp/letter");
    observe_true("the file is in the tree on disk",
                 stat(text("%s/tmp/letter", tree), &st) == 0, tree);
    observe_equal("its owner on disk", text("%u", mapped_root(inside)),
                  text("%u", st.st_uid), text("stat %s/tmp/letter", tree));
}

static void files_of_the_hosts_root_are_nobodys(void **state)
{
    (void)state;
    const char *tree = bare_tree("root"), *file = text("%s/secret", tree);
    struct probe *outside = probe_outside();

    assert_answer(outside, "ok", "write %s key", file);
    must(chmod(file, 0600) == 0, file);
    struct probe *inside = probe_inside("run", tree);
    assert_answer(outside, "ok key", "read %s", file);
    if (calling_user() == 0) {
        assert_answer(inside, "ok 65534 65534 600 file", "stat /secret");
        assert_answer(inside, "EACCES", "read /secret");
        assert_answer(inside, "EPERM", "chown /secret 0 0");
    } else {
        assert_answer(inside, "ok 0 0 600 file", "stat /secret");
    }
}

/* Starts minibox as an ordinary user whom /etc/subuid grants a range. */
static struct probe *start_as_user_with_range(const char *tree)
{
    const char *copy = text("%s/minibox", scratch());
    const char *script =
        "cd \"$0\" && for f in passwd subuid subgid; do"
        " [ -e /etc/$f ] || : >/etc/$f; mount --bind $f /etc/$f; done;"
        "exec setpriv --reuid 4321 --regid 4321 --clear-groups \"$@\"";

    copy_program(box_words()[0], copy);
    for (int i = 0; i < 3; i++) {
        static const char *const files[] = {"passwd", "subuid", "subgid"};
        FILE *file = fopen(text("%s/%s", scratch(), files[i]), "we");
        fputs(i ? "tester:300000:65536\n" : "tester:x:4321:4321::/:/bin/sh\n",
              file);
        fclose(file);
    }
    return probe_start((const char *const[]){"unshare", "--mount", "sh", "-c",
                                             script, scratch(), copy, "run",
                                             tree, "/probe", NULL});
}

/* Has the caller a line in /etc/subuid? */
static bool has_range(const char *path)
{
    const char *user = getenv("USER");
    const char *lines =
        text("\n%s", file_exists("%s", path) ? file_text("%s", path) : "");

    return strstr(lines, text("\n%u:", calling_user())) ||
           (user && strstr(lines, text("\n%s:", user)));
}

static void user_with_a_range_has_many_ids(void **state)
{
    (void)state;
    struct probe *inside;

    skip_unless(file_exists("/usr/bin/newuidmap"), "no-newuidmap",
                "newuidmap(1) is missing", "apt-get install uidmap");
    if (calling_user() == 0) {
        inside = start_as_user_with_range(tree_with_shell("root"));
        assert_proc_file(inside, "uid_map", "0 4321 1 1 300000 65536");
        assert_proc_file(inside, "gid_map", "0 4321 1 1 300000 65536");
    } else {
        skip_unless(has_range("/etc/subuid") && has_range("/etc/subgid"),
                    "no-subuid-range", "no range in /etc/subuid is the user's",
                    "as root, usermod --add-subuids 100000-165535 "
                    "--add-subgids 100000-165535 USER");
        inside = probe_inside("run", bare_tree("root"));
    }
    assert_answer(inside, "ok", "setgroups");
    assert_answer(inside, "ok", "setgid 1000");
    assert_answer(inside, "ok", "setuid 1000");
    assert_answer(inside, "ok 1000", "getuid");
}

static void user_without_a_range_has_one_id(void **state)
{
    (void)state;
    struct probe *inside;

    if (calling_user() == 0) {
        const char *tree = tree_with_shell("root");
        const char *copy = text("%s/minibox", scratch());
        copy_program(box_words()[0], copy);
        start_next_as(4322, 4322);
        inside = probe_start(
            (const char *const[]){copy, "run", tree, "/probe", NULL});
        assert_proc_file(inside, "uid_map", "0 4322 1");
    } else {
        /* Without newuidmap in PATH there is no range. */
        setenv("PATH", "/nowhere", 1);
        inside = probe_inside("run", bare_tree("root"));
        assert_proc_file(inside, "uid_map", text("0 %u 1", calling_user()));
    }
    assert_proc_file(inside, "setgroups", "deny");
    assert_answer(inside, "EPERM", "setgroups");
    assert_answer(inside, "EINVAL", "setuid 1000");
}

/* ---- files, mounts, devices ------------------------------------------- */

static void nothing_of_the_hosts_mounts_is_left(void **state)
{
    (void)state;
    const char *expected =
        " / /proc /sys /dev /dev/null /dev/zero /dev/full /dev/random "
        "/dev/urandom /dev/tty /dev/pts /dev/shm /dev/mqueue ";
    const char *tree = bare_tree("root"), *seen = "";
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside("run", tree);
    char *lines =
        strdup(file_text("/proc/%d/mountinfo", (int)probe_pid(inside)));

    for (char *rest = lines, *line; (line = strsep(&rest, "\n")) && *line;) {
        char point[256];
        sscanf(line, "%*s %*s %*s %*s %255s", point);
        observe_contains("only these are mounted", text(" %s ", point),
                         expected, text("/proc/PID/mountinfo: %s", line));
        seen = text("%s%s ", seen, point);
    }
    free(lines);
    observe_contains("the last one is there", "/dev/mqueue", seen,
                     "/proc/PID/mountinfo");
    assert_answer(outside,
                  text("ok %s", squeeze(ask(outside, "stat %s", tree)) + 3),
                  "stat %s", tree);
    assert_answer(inside, "ENOENT", "stat %s", tree);
    assert_answer(inside, "ok /", "getcwd");
}

static void dotdot_at_the_root_leads_nowhere(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_answer(inside, "ok dev probe proc sys tmp", "ls /");
    assert_answer(inside, "ok dev probe proc sys tmp", "ls /../../..");
    assert_answer(inside, "ok", "chroot /tmp");
    /* A second chroot(2) with the working directory outside it: the way out
     * of a chroot, and here only to the tree's own root. */
    assert_answer(inside, "ok", "chdir ../../../../..");
    assert_answer(inside, "ok dev probe proc sys tmp", "ls .");
}

static void mounts_made_inside_stay_inside(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    struct probe *inside = probe_inside("run", tree);
    const char *before = file_text("/proc/self/mountinfo");

    assert_answer(inside, "ok", "mount none /tmp tmpfs");
    assert_answer(inside, "ok", "write /tmp/hidden yes");
    observe_true("what is written there is not in the tree",
                 !file_exists("%s/tmp/hidden", tree), tree);
    observe_equal("the outside's mounts are as before", before,
                  file_text("/proc/self/mountinfo"), "/proc/self/mountinfo");
}

/* With all mounts shared, as systemd has them. */
static void nothing_leaks_through_shared_mounts(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    const char *argv[] = {"unshare",
                          "--user",
                          "--map-root-user",
                          "--mount",
                          "--propagation",
                          "shared",
                          box_words()[0],
                          "run",
                          tree,
                          "/probe",
                          NULL};
    struct probe *inside = probe_start(argv);
    const char *mounts =
        file_text("/proc/%d/mountinfo", (int)probe_box_pid(inside));

    observe_contains("control: the outside's mounts are shared",
                     " shared:", mounts, "/proc/SUPERVISOR/mountinfo");
    observe_lacks("nothing is mounted in the tree outside", text("%s/", tree),
                  mounts, "/proc/SUPERVISOR/mountinfo");
    observe_lacks("no mount inside has a tie", "shared:",
                  file_text("/proc/%d/mountinfo", (int)probe_pid(inside)),
                  "/proc/PID/mountinfo");
    observe_lacks("nor one in the other direction", "master:",
                  file_text("/proc/%d/mountinfo", (int)probe_pid(inside)),
                  "/proc/PID/mountinfo");
}

static void dev_is_small_and_works(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_answer(inside,
                  "ok fd full mqueue null ptmx pts random shm stderr stdin "
                  "stdout tty urandom zero",
                  "ls /dev");
    assert_answer(inside, "ok 0x1021994", "statfs /dev");
    assert_answer(inside, "ok 0x1cd1", "statfs /dev/pts");
    assert_answer(inside, "ok ptmx", "ls /dev/pts");
    assert_answer(inside, "ok", "write /dev/null x");
    assert_answer(inside, "ok", "open /dev/null r");
    assert_answer(inside, "ENOSPC", "write /dev/full x");
    assert_answer(inside, "ok", "open /dev/urandom");
    assert_answer(inside, "ok", "open /dev/ptmx rw");
    assert_answer(inside, "ok", "write /dev/shm/x y");
    assert_answer(inside, "EPERM", "mknod /dev/other");
}

/* A tree that somebody else packed may bring a device along. */
static void device_in_the_tree_is_dead(void **state)
{
    (void)state;
    const char *tree = text("%s/packed", scratch());

    if (calling_user() != 0) {
        /* Here the kernel is the defence: a user cannot make one. */
        assert_answer(probe_outside(), "EPERM", "mknod %s/null", scratch());
        return;
    }
    make_directory(tree, 0755);
    /* /tmp is without devices itself: that would be no control. */
    must(mount("tmpfs", tree, "tmpfs", 0, "mode=755") == 0, tree);
    copy_program(probe_path(), text("%s/probe", tree));
    set_probe_path_inside("/probe");
    struct probe *outside = probe_outside();
    assert_answer(outside, "ok", "mknod %s/null", tree);
    must(chmod(text("%s/null", tree), 0666) == 0, tree);
    assert_answer(outside, "ok", "open %s/null rw", tree);
    struct probe *inside = probe_inside("run", tree);
    assert_answer(inside, "EACCES", "open /null rw");
    probe_end(inside);
    must(umount(tree) == 0, tree);
}

static void missing_places_are_made(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");
    struct probe *inside = probe_inside("run", tree);

    assert_answer(inside, "ok", "open /proc/self/status");
    assert_answer(inside, "ok 0x9fa0", "statfs /proc");
    probe_end(inside);
    struct probe *outside = probe_outside();
    assert_answer(outside, "ok", "ls %s/proc", tree);
    assert_answer(outside, "ok", "ls %s/dev", tree);
}

/* A clone below /root, say: root inside may not walk there. */
static void tree_below_a_private_directory_works(void **state)
{
    (void)state;
    make_directory(text("%s/private", scratch()), 0700);
    struct probe *inside = probe_inside("run", bare_tree("private/root"));

    assert_answer(inside, "ok dev probe proc sys tmp", "ls /");
}

static void refuses_link(const char *name)
{
    const char *tree = tree_with_shell("root"), *marker;
    struct outcome o = box_run("run", tree, "/probe");

    assert_status(&o, 0); /* control: it starts with a real directory */
    marker = text("%s/elsewhere", scratch());
    make_directory(marker, 0755);
    must(rmdir(text("%s/%s", tree, name)) == 0, name);
    must(symlink("../elsewhere", text("%s/%s", tree, name)) == 0, name);
    o = box_run("run", tree, "/probe");
    assert_status(&o, 125);
    assert_one_line(&o, text("/%s of the root filesystem is a symbolic link",
                             name));
    assert_answer(probe_outside(), "ok", "ls %s", marker);
}

static void proc_that_is_a_link_is_refused(void **state)
{
    (void)state;
    refuses_link("proc");
}

static void dev_that_is_a_link_is_refused(void **state)
{
    (void)state;
    refuses_link("dev");
}

static void sys_that_is_a_link_is_refused(void **state)
{
    (void)state;
    refuses_link("sys");
}

static void proc_that_is_a_file_is_refused(void **state)
{
    (void)state;
    const char *tree = bare_tree("root");

    copy_program("/etc/passwd", text("%s/proc", tree));
    struct outcome o = box_run("run", tree, "/probe");
    assert_status(&o, 125);
    assert_one_line(&o, "move_mount(proc)");
    assert_one_line(&o, "make it an empty directory");
}

/* ---- what the command finds ------------------------------------------- */

static void descriptors_are_three(void **state)
{
    (void)state;
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    must(dup2(root, 9) == 9, "fd 9 on /");
    close(root);
    observe_contains("control: without a box it is inherited", " 9",
                     ask(probe_outside(), "fds"), "outside: fds");
    struct probe *inside = probe_inside("run", bare_tree("root"));
    close(9);
    assert_answer(inside, "ok 0 1 2", "fds");
    if (calling_user() == 0) {
        const char *init = status_field(probe_pid(inside), "PPid");
        assert_answer(probe_outside(), "ok 0 1 2", "ls /proc/%s/fd", init);
    }
}

static void no_new_privileges(void **state)
{
    (void)state;
    assert_status_field(probe_inside("run", bare_tree("root")), "NoNewPrivs",
                        "1");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0)
        assert_status_field(probe_outside(), "NoNewPrivs", "0");
}

static void environment_is_clean(void **state)
{
    (void)state;
    const char *tree = tree_with_shell("root");

    setenv("SECRET", "key", 1);
    setenv("TERM", "vt100", 1);
    struct outcome o =
        box_run("run", "--hostname", "ship", tree, "busybox", "env");
    assert_status(&o, 0);
    observe_equal("the whole environment",
                  "TERM=vt100 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                  "/usr/bin:/sbin:/bin HOME=/root HOSTNAME=ship "
                  "container=minibox",
                  squeeze(o.out), "inside: env");
}

static void file_mode_mask_is_022(void **state)
{
    (void)state;
    umask(0);
    struct probe *outside = probe_outside();
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_answer(outside, "ok", "mkdir %s/open", scratch());
    assert_answer(inside, "ok", "mkdir /tmp/open");
    assert_answer(inside, "ok 0 0 755 dir", "stat /tmp/open");
    umask(077);
    inside = probe_inside("run", bare_tree("other"));
    assert_answer(inside, "ok", "mkdir /tmp/open");
    assert_answer(inside, "ok 0 0 755 dir", "stat /tmp/open");
}

static void init_is_out_of_reach(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_answer(inside, "ok /probe", "readlink /proc/self/exe");
    assert_answer(inside, "EACCES", "readlink /proc/1/exe");
    assert_answer(inside, "EACCES", "open /proc/1/mem rw");
    assert_answer(inside, "ok", "kill 1 9");
    assert_answer(inside, "ok 1", "getppid");
}

/* ---- how it ends ------------------------------------------------------ */

static void exit_status_is_the_commands(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        int status;
    } cases[] = {
        {"exit 0",        0  },
        {"exit 7",        7  },
        {"exit 255",      255},
        {"exit 125",      125},
        {"kill -TERM $$", 143},
        {"kill -KILL $$", 137},
    };
    const char *tree = tree_with_shell("root");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o =
            box_run("run", tree, "--", "sh", "-c", cases[i].script);
        assert_status(&o, cases[i].status);
        observe_equal("nothing is said", "", o.err, cases[i].script);
    }
}

static void standard_streams_are_the_callers(void **state)
{
    (void)state;
    struct outcome o = box_run("run", tree_with_shell("root"), "sh", "-c",
                               "echo out; echo err >&2; cat");

    observe_equal("stdout", "out\n", o.out, "stdout");
    observe_contains("stderr", "err\n", o.err, "stderr");
}

static void signals_reach_the_command(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT,  SIGHUP,   SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};
    struct probe *inside = probe_inside("run", bare_tree("root"));

    for (long i = 0; i < 8; i++) {
        assert_answer(inside, "ok", "catch %d", signals[i]);
        must(kill(probe_box_pid(inside), signals[i]) == 0, "the supervisor");
        wait_until(ask_number(inside, "caught") == i + 1,
                   "the signal to reach the command");
    }
    must(kill(probe_box_pid(inside), SIGTERM) == 0, "the supervisor");
    wait_until(ask_number(inside, "caught") == 9, "the signal to come again");
    observe_equal("the end is an ordinary one", "0",
                  text("%d", probe_end(inside)), "exit status");
}

static void signal_ends_the_command_and_the_box(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));

    assert_answer(inside, "ok 3", "spawn");
    assert_answer(inside, "ok 4", "daemon");
    kill(probe_box_pid(inside), SIGTERM);
    observe_equal("128 + SIGTERM", "143", text("%d", probe_wait(inside)),
                  "exit status");
}

static void stop_and_go_on(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));
    pid_t box = probe_box_pid(inside), pid = probe_pid(inside);

    kill(box, SIGTSTP);
    wait_until(*status_field(pid, "State") == 'T', "the command to stop");
    wait_until(*status_field(box, "State") == 'T', "minibox to stop");
    kill(box, SIGCONT);
    wait_until(*status_field(pid, "State") != 'T', "the command to go on");
    assert_answer(inside, "ok 2", "getpid");
}

/* A caller may hand down strange settings; minibox must still hear. */
static void ignored_and_blocked_signals_do_no_harm(void **state)
{
    (void)state;
    sigset_t all;

    struct outcome o = run_command(
        (const char *const[]){"sh", "-c", "trap '' CHLD HUP; exec \"$@\"", "sh",
                              box_words()[0], "run", tree_with_shell("root"),
                              "sh", "-c", "true; exit 7", NULL});
    assert_status(&o, 7);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    struct probe *inside = probe_inside("run", bare_tree("other"));
    observe_equal("the command's mask is the caller's",
                  status_field(getpid(), "SigBlk"),
                  status_field(probe_pid(inside), "SigBlk"),
                  "/proc/PID/status");
    observe_equal("status", "0", text("%d", probe_end(inside)), "exit status");
}

static const char *children_of(const char *pid)
{
    return file_words("/proc/%s/task/%s/children", pid, pid);
}

static void orphans_are_reaped(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));
    const char *init = status_field(probe_pid(inside), "PPid");

    assert_answer(inside, "ok", "orphan 200");
    wait_until(strcmp(children_of(init), text("%d", (int)probe_pid(inside))) ==
                   0,
               "init to have one child only");
}

static void killed_supervisor_takes_all_along(void **state)
{
    (void)state;
    struct probe *inside = probe_inside("run", bare_tree("root"));
    pid_t pid = probe_pid(inside);

    assert_answer(inside, "ok", "ignore 15");
    assert_answer(inside, "ok 3", "spawn");
    assert_answer(inside, "ok 4", "daemon");
    kill(probe_box_pid(inside), SIGKILL);
    wait_until(kill(pid, 0) == -1 && errno == ESRCH,
               "the command to be gone with minibox");
}

/* From now on a system call fails, here and in all that we start. */
static void forbid(int call, int number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
        _exit(99);
}

/* Runs minibox where one system call fails. */
static struct outcome run_where_fails(int call, const char *tree)
{
    int status, err = memfd_create("stderr", 0);
    pid_t pid = fork();

    must(err != -1 && pid != -1, "memfd_create, fork");
    if (pid == 0) {
        forbid(call, EIO);
        dup2(err, 2);
        execl(box_words()[0], "minibox", "run", tree, "/probe", NULL);
        _exit(98);
    }
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    struct outcome o = {
        .status = WIFEXITED(status) ? WEXITSTATUS(status) : 128,
        .out = "",
        .err = file_text("/proc/self/fd/%d", err),
    };
    close(err);
    return o;
}

static void every_call_of_the_set_up_may_fail(void **state)
{
    (void)state;
    static const struct {
        int call;
        const char *says;
    } calls[] = {
        {SYS_signalfd4,     "signalfd"         },
        {SYS_chdir,         "chdir("           },
        {SYS_socketpair,    "socketpair"       },
        {SYS_clone3,        "clone of"         },
        {SYS_sethostname,   "sethostname"      },
        {SYS_ioctl,         "SIOCSIFFLAGS"     },
        {SYS_sendto,        "send to"          },
        {SYS_setresgid,     "to be root inside"},
        {SYS_setresuid,     "to be root inside"},
        {SYS_close_range,   "close_range"      },
        {SYS_setsid,        "setsid"           },
        {SYS_unshare,       "CLONE_NEWCGROUP"  },
        {SYS_mount_setattr, "mount_setattr"    },
        {SYS_open_tree,     "open_tree"        },
        {SYS_move_mount,    "mount of the root"},
        {SYS_fchdir,        "mount of the root"},
        {SYS_fsopen,        "fsopen(proc)"     },
        {SYS_fsconfig,      "fsconfig(proc"    },
        {SYS_fsmount,       "fsmount(proc)"    },
        {SYS_openat2,       "openat2(proc)"    },
        {SYS_mkdirat,       "mkdir(/dev/pts)"  },
        {SYS_symlinkat,     "symlink(/dev/fd)" },
        {SYS_pivot_root,    "pivot_root"       },
        {SYS_umount2,       "umount2"          },
        {SYS_setpgid,       "setpgid"          },
        {SYS_poll,          "poll"             },
        {SYS_waitid,        "waitid"           },
    };
    const char *tree = tree_with_shell("root");

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct outcome o = run_where_fails(calls[i].call, tree);
        assert_status(&o, 125);
        assert_one_line(&o, calls[i].says);
    }
}

/* Some seccomp profiles forbid what they do not know, others say that it
 * does not exist. */
static void forbid_clone3(int number)
{
    forbid(SYS_clone3, number);
    observe_true("control: clone3 fails",
                 syscall(SYS_clone3, NULL, 0) == -1 && errno == number,
                 "clone3(2)");
}

static void clone_serves_where_clone3_does_not_exist(void **state)
{
    (void)state;
    forbid_clone3(ENOSYS);
    namespaces_are_its_own(state);
}

static void clone_serves_where_clone3_is_forbidden(void **state)
{
    (void)state;
    forbid_clone3(EPERM);
    namespaces_are_its_own(state);
}

int main(int argc, char *argv[])
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces_are_its_own),
        cmocka_unit_test(host_name_is_its_own),
        cmocka_unit_test(host_name_is_minibox_unless_given),
        cmocka_unit_test(processes_are_its_own),
        cmocka_unit_test(network_is_its_own),
        cmocka_unit_test(loopback_is_up),
        cmocka_unit_test(root_inside_is_not_root_outside),
        cmocka_unit_test(file_made_inside_belongs_to_the_mapped_user),
        cmocka_unit_test(files_of_the_hosts_root_are_nobodys),
        cmocka_unit_test(user_with_a_range_has_many_ids),
        cmocka_unit_test(user_without_a_range_has_one_id),
        cmocka_unit_test(nothing_of_the_hosts_mounts_is_left),
        cmocka_unit_test(dotdot_at_the_root_leads_nowhere),
        cmocka_unit_test(mounts_made_inside_stay_inside),
        cmocka_unit_test(nothing_leaks_through_shared_mounts),
        cmocka_unit_test(dev_is_small_and_works),
        cmocka_unit_test(device_in_the_tree_is_dead),
        cmocka_unit_test(missing_places_are_made),
        cmocka_unit_test(tree_below_a_private_directory_works),
        cmocka_unit_test(proc_that_is_a_link_is_refused),
        cmocka_unit_test(dev_that_is_a_link_is_refused),
        cmocka_unit_test(sys_that_is_a_link_is_refused),
        cmocka_unit_test(proc_that_is_a_file_is_refused),
        cmocka_unit_test(descriptors_are_three),
        cmocka_unit_test(no_new_privileges),
        cmocka_unit_test(environment_is_clean),
        cmocka_unit_test(file_mode_mask_is_022),
        cmocka_unit_test(init_is_out_of_reach),
        cmocka_unit_test(exit_status_is_the_commands),
        cmocka_unit_test(standard_streams_are_the_callers),
        cmocka_unit_test(signals_reach_the_command),
        cmocka_unit_test(signal_ends_the_command_and_the_box),
        cmocka_unit_test(stop_and_go_on),
        cmocka_unit_test(ignored_and_blocked_signals_do_no_harm),
        cmocka_unit_test(orphans_are_reaped),
        cmocka_unit_test(killed_supervisor_takes_all_along),
        cmocka_unit_test(every_call_of_the_set_up_may_fail),
        cmocka_unit_test(clone_serves_where_clone3_does_not_exist),
        cmocka_unit_test(clone_serves_where_clone3_is_forbidden),
    };
    return witness_run(argc, argv, tests, AS_CALLER);
}
