/*
 * user - run a command as a root who is nobody special outside.
 *
 * You learn  how a user namespace translates ids by two maps; who may
 *            write them, in which order, and why the child must wait.
 * Build      cc -Wall -Wextra -o user user.c
 * Run        ./user               the demo; it needs no root
 *            ./user -- id         a command, as root inside
 *            ./user --map 0:100000:65536 --gmap 0:100000:65536 -- id
 * You see    uid 65534 without maps, 0 with them; a file that is root's
 *            inside and yours outside; a root who may chroot, but not
 *            even signal the machine's first process.
 * Read       user_namespaces(7), clone(2), newuidmap(1), subuid(5)
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: user [--map INSIDE:OUTSIDE:COUNT]..."
    " [--gmap ...]... [--] [COMMAND [ARG...]]";
enum { FAILED = 125, PAGE = 4096 };

static struct map {
    const char *file, *helper;
    unsigned own; /* the caller's id, outside */
    int only_own; /* nothing but the caller's id is mapped */
    size_t used;
    char text[PAGE]; /* INSIDE OUTSIDE COUNT, line by line */
} users = {.file = "uid_map", .helper = "newuidmap"},
  groups = {.file = "gid_map", .helper = "newgidmap"};

static int demo; /* no command: tell each step */

/* Passes RESULT on; when it says that CALL failed, ends the process. */
static int checked(long result, const char *call)
{
    if (result == -1)
        err(FAILED, "%s", call);
    return (int)result;
}

/* The kernel judges a map, but cuts its numbers to 32 bits before: it
 * takes 4294967296 for 0, for root.  So the numbers are judged here.
 * 4294967295 is no id: chown(2) takes it for "leave as it is". */
static void add_line(struct map *map, const char *word)
{
    unsigned long long in, out, count, end = 4294967295;
    char more;

    if (strspn(word, "0123456789:") < strlen(word) ||
        sscanf(word, "%18llu:%18llu:%18llu%c", &in, &out, &count,
               &more) != 3 ||
        count == 0 || in + count > end || out + count > end)
        errx(FAILED,
             "%s: a map is INSIDE:OUTSIDE:COUNT, with ids up to"
             " 4294967294 and COUNT from 1",
             word);
    if (map->used > PAGE - 40)
        errx(FAILED, "%s: a map's text is less than a page", word);
    map->only_own = map->used == 0 && out == map->own && count == 1;
    map->used += (size_t)sprintf(map->text + map->used,
                                 "%llu %llu %llu\n", in, out, count);
}

/* Between parent and child: a byte says "go on", and end of file that
 * the other is dead.  Then there is nothing left to do. */
static void tell(int sync, char byte)
{
    if (send(sync, &byte, 1, MSG_NOSIGNAL) != 1)
        _exit(FAILED);
}

static char hear(int sync)
{
    char byte;

    if (read(sync, &byte, 1) != 1)
        _exit(FAILED);
    return byte;
}

/* fork(2), but the child is in a new user namespace: all capabilities
 * and no ids.  Each of the two gets one end of a socket pair. */
static pid_t fork_into_new_user(int *sync)
{
    int pair[2];

    checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
            "socketpair");
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == -1)
        errx(FAILED,
             "clone(CLONE_NEWUSER): %m (look at the sysctls"
             " user.max_user_namespaces, kernel.unprivileged_userns"
             "_clone; a chroot or an outer container may forbid it)");
    /* While we hold the other's end too, its death does not show. */
    close(pair[pid == 0]);
    *sync = pair[pid != 0];
    return (pid_t)pid;
}

static int exit_status(pid_t pid)
{
    int status;

    checked(waitpid(pid, &status, 0), "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* The kernel takes a map in one write(2), and only once. */
static void write_file(pid_t pid, const char *file, const char *text)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    if (demo)
        printf("outside | writes %s: %s", path, text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || write(fd, text, strlen(text)) == -1)
        errx(FAILED,
             "write %s: %m (map no id twice, and only ids that"
             " /proc/self/%s has; AppArmor may forbid it)",
             path, file);
    close(fd);
}

/* newuidmap PID INSIDE OUTSIDE COUNT...: setuid root, it gives what
 * root has granted in /etc/subuid.  If it refuses, it says why. */
static void run_helper(pid_t pid, struct map *map)
{
    char number[12], *argv[PAGE] = {(char *)map->helper, number};
    char *rest = map->text;
    pid_t helper;

    snprintf(number, sizeof(number), "%d", pid);
    for (int i = 2; (argv[i] = strtok_r(rest, " \n", &rest)); i++)
        ;
    errno = posix_spawnp(&helper, argv[0], NULL, NULL, argv, environ);
    if (errno)
        errx(FAILED,
             "%s: %m (for more than your own id, install the"
             " package uidmap or be root)",
             argv[0]);
    if (exit_status(helper) != 0)
        _exit(FAILED);
}

/*
 * Root may write any map.  Everyone may map the own id alone; but the
 * own group only after giving up setgroups(2), or else somebody whom a
 * file denies by group could leave that group (CVE-2014-8989).
 */
static void write_map(pid_t pid, struct map *map)
{
    if (geteuid() != 0 && !map->only_own) {
        run_helper(pid, map);
        return;
    }
    if (map == &groups && map->only_own)
        write_file(pid, "setgroups", "deny\n");
    write_file(pid, map->file, map->text);
}

/* The maps are there, but this still is the caller.  It becomes whom
 * the first ids inside stand for. */
static void take_first_ids(void)
{
    uid_t uid = (uid_t)strtoul(users.text, NULL, 10);
    gid_t gid = (gid_t)strtoul(groups.text, NULL, 10);

    /* Where setgroups is denied the groups stay: that is its point. */
    if (setgroups(0, NULL) == -1 && errno != EPERM)
        err(FAILED, "setgroups");
    checked(setresgid(gid, gid, gid), "setresgid");
    checked(setresuid(uid, uid, uid), "setresuid");
}

/* Root makes a file, tells its number, so that the parent can look at
 * it from outside; then it tries two rights of root. */
static void demo_inside(int sync)
{
    struct stat st;
    /* A file without a name: it leaves nothing behind. */
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    checked(file, "open a file in /tmp");
    checked(fstat(file, &st), "fstat");
    printf("inside  | is uid %u\n", getuid());
    printf("inside  | makes a file; its owner is uid %u\n", st.st_uid);
    tell(sync, (char)file);
    hear(sync);
    printf("inside  | chroot: %s\n",
           chroot("/") == -1 ? strerror(errno) : "done");
    /* Signal 0 changes nothing: it asks whether one may. */
    printf("inside  | kill process 1: %s\n",
           kill(1, 0) == -1 ? strerror(errno) : "done");
}

static void demo_outside(int sync, pid_t pid)
{
    char path[40];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, hear(sync));
    checked(stat(path, &st), path);
    printf("outside | sees the file; its owner is uid %u\n", st.st_uid);
    tell(sync, 0);
}

static int run_inside(int sync, char *command[])
{
    if (demo)
        printf("inside  | is uid %u: no maps yet\n", getuid());
    tell(sync, 0);
    hear(sync); /* until the maps are written */
    take_first_ids();
    if (demo) {
        demo_inside(sync);
        return 0;
    }
    execvp(command[0], command);
    int status = errno == ENOENT ? 127 : 126;
    warn("exec %s", command[0]);
    return status;
}

static void read_options(int argc, char *argv[])
{
    static const struct option known[] = {
        {"help", 0, 0, 'h'},
        {"map",     1, 0, 'm'},
        {"gmap",      1, 0, 'g'},
        {0}
    };
    int option;

    /* "+": what follows the command's name is the command's. */
    while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        if (option == '?')
            exit(FAILED); /* getopt has said why */
        if (option == 'h') {
            checked(puts(USAGE), "stdout");
            exit(0);
        }
        add_line(option == 'm' ? &users : &groups, optarg);
    }
    demo = argv[optind] == NULL;
}

/* Without options the caller is 0 inside.  In root's demo 1000 is, if
 * there is a 1000: root of a user namespace may have none. */
static void add_default(struct map *map)
{
    char word[32];

    if (demo && geteuid() == 0 && seteuid(1000) == 0 && seteuid(0) == 0)
        map->own = 1000;
    snprintf(word, sizeof(word), "0:%u:1", map->own);
    if (map->used == 0)
        add_line(map, word);
}

/* Were 0, 1 or 2 closed, our sockets would get that number. */
static void fill_standard_descriptors(void)
{
    int fd = 0;

    while (fd <= 2)
        fd = checked(open("/dev/null", O_RDWR), "open /dev/null");
    close(fd);
}

int main(int argc, char *argv[])
{
    int sync;

    fill_standard_descriptors();
    /* Line by line: in order, and no full buffer is cloned. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* If the caller ignores SIGCHLD, so do we, and miss the status. */
    signal(SIGCHLD, SIG_DFL);
    users.own = geteuid();
    groups.own = getegid();
    read_options(argc, argv);
    add_default(&users);
    add_default(&groups);

    pid_t pid = fork_into_new_user(&sync);
    if (pid == 0)
        _exit(run_inside(sync, argv + optind));
    hear(sync);
    write_map(pid, &users);
    write_map(pid, &groups);
    tell(sync, 0);
    if (demo)
        demo_outside(sync, pid);
    /* As system(3): Ctrl-C is for the command, and we outlive it. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    int status = exit_status(pid);
    return checked(ferror(stdout) ? -1 : status, "stdout");
}
