/*
 * probe - a pair of hands inside a box.
 *
 * Reads one request a line on stdin, does it, and answers one line on
 * stdout: "ok", "ok RESULT", or the name of an errno.  It needs nothing
 * but these two descriptors and the kernel: it is linked statically, so it
 * runs on an empty root file system, and boxes may close all the rest.
 *
 * It ends when stdin ends.  Its children end with it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 32, MAX_LINE = 4096 };

/* The answer's RESULT; a request fills it and returns 0, or returns -1
 * with errno set. */
static char result[MAX_LINE];

__attribute__((format(printf, 1, 2))) static int answer(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(result, sizeof(result), format, args);
    va_end(args);
    return 0;
}

static void answer_more(const char *word)
{
    size_t used = strlen(result);
    snprintf(result + used, sizeof(result) - used, "%s%s", used ? " " : "",
             word);
}

/* A number in any base that strtol(3) knows, with K, M or G behind it. */
static long number(const char *word)
{
    char *end;
    long value = strtol(word, &end, 0);

    switch (*end) {
    case 'G':
        value *= 1024;
        /* fall through */
    case 'M':
        value *= 1024;
        /* fall through */
    case 'K':
        value *= 1024;
    }
    return value;
}

/* ---- processes --------------------------------------------------------- */

static int do_getpid(char *arg[])
{
    (void)arg;
    return answer("%ld", syscall(SYS_getpid));
}

static int do_getppid(char *arg[])
{
    (void)arg;
    return answer("%ld", syscall(SYS_getppid));
}

static int do_getsid(char *arg[])
{
    (void)arg;
    return answer("%d", getsid(0));
}

/* What every child of the probe does: wait for a signal, and end with the
 * probe. */
static void child_waits(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* After "unshare pid" the parent has no number here: 0. */
    if (getppid() != parent && getppid() != 0)
        _exit(0);
    close(0);
    close(1);
    for (;;)
        pause();
}

/* fork N: N children that wait; the answer counts those there are. */
static int do_fork(char *arg[])
{
    long wanted = number(arg[0]), made = 0;
    pid_t self = getpid();

    while (made < wanted) {
        pid_t pid = fork();
        if (pid == 0)
            child_waits(self);
        if (pid == -1) {
            int error = errno;
            return answer("%ld %s", made, strerrorname_np(error));
        }
        made++;
    }
    return answer("%ld", made);
}

/* spawn: one child that waits; the answer is its PID. */
static int do_spawn(char *arg[])
{
    (void)arg;
    pid_t self = getpid(), pid = fork();

    if (pid == 0)
        child_waits(self);
    return pid == -1 ? -1 : answer("%d", pid);
}

/* orphan N: N processes whose parent is gone at once; they exit. */
static int do_orphan(char *arg[])
{
    long count = number(arg[0]);
    int gate[2];
    char byte;

    if (pipe(gate) == -1)
        return -1;
    for (long i = 0; i < count; i++) {
        pid_t middle = fork();
        if (middle == -1)
            return -1;
        if (middle == 0) {
            pid_t orphan = fork();
            if (orphan == 0) {
                /* Until the parent is gone: then this is an orphan. */
                close(gate[1]);
                if (read(gate[0], &byte, 1) == -1)
                    _exit(1);
                _exit(0);
            }
            _exit(orphan == -1 ? 1 : 0);
        }
        if (waitpid(middle, NULL, 0) == -1)
            return -1;
    }
    close(gate[0]);
    close(gate[1]);
    return 0;
}

/* daemon: a process in a session of its own that outlives the probe. */
static int do_daemon(char *arg[])
{
    (void)arg;
    pid_t pid = fork();

    if (pid == 0) {
        setsid();
        close(0);
        close(1);
        close(2);
        for (;;)
            pause();
    }
    return pid == -1 ? -1 : answer("%d", pid);
}

static int do_kill(char *arg[])
{
    return kill((pid_t)number(arg[0]), (int)number(arg[1]));
}

static int do_wait(char *arg[])
{
    int status;
    pid_t pid = waitpid((pid_t)number(arg[0]), &status, 0);

    if (pid == -1)
        return -1;
    return answer("%d", WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                            : WEXITSTATUS(status));
}

static int do_exit(char *arg[])
{
    _exit((int)number(arg[0]));
}

static int do_ignore(char *arg[])
{
    return signal((int)number(arg[0]), SIG_IGN) == SIG_ERR ? -1 : 0;
}

static volatile sig_atomic_t signals_seen;

static void count_signal(int signal_number)
{
    (void)signal_number;
    signals_seen++;
}

/* catch SIG: count it from now on.  caught: how many came. */
static int do_catch(char *arg[])
{
    struct sigaction action = {.sa_handler = count_signal,
                               .sa_flags = SA_RESTART};
    return sigaction((int)number(arg[0]), &action, NULL);
}

static int do_caught(char *arg[])
{
    (void)arg;
    return answer("%d", (int)signals_seen);
}

/* exec COMMAND ARG...: the answer only comes if it fails. */
static int do_exec(char *arg[])
{
    execv(arg[0], arg);
    return -1;
}

/* run COMMAND ARG...: its exit status. */
static int do_run(char *arg[])
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        /* The answer line is the probe's alone. */
        if (dup2(2, 1) == -1)
            _exit(125);
        execv(arg[0], arg);
        _exit(127);
    }
    if (pid == -1 || waitpid(pid, &status, 0) == -1)
        return -1;
    return answer("%d", WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                            : WEXITSTATUS(status));
}

/* alloc BYTES: map them and touch every page. */
static int do_alloc(char *arg[])
{
    size_t bytes = (size_t)number(arg[0]);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < bytes; i += 4096)
        memory[i] = 1;
    return 0;
}

/* ---- identity ---------------------------------------------------------- */

static int do_getuid(char *arg[])
{
    (void)arg;
    return answer("%d", (int)geteuid());
}

static int do_getgid(char *arg[])
{
    (void)arg;
    return answer("%d", (int)getegid());
}

static int do_getgroups(char *arg[])
{
    (void)arg;
    gid_t groups[64];
    int count = getgroups(64, groups);

    if (count == -1)
        return -1;
    for (int i = 0; i < count; i++) {
        char word[16];
        snprintf(word, sizeof(word), "%u", groups[i]);
        answer_more(word);
    }
    return 0;
}

static int do_setuid(char *arg[])
{
    uid_t uid = (uid_t)number(arg[0]);
    return setresuid(uid, uid, uid);
}

static int do_setgid(char *arg[])
{
    gid_t gid = (gid_t)number(arg[0]);
    return setresgid(gid, gid, gid);
}

/* setgroups GID...: with none, drop them all. */
static int do_setgroups(char *arg[])
{
    gid_t groups[MAX_WORDS];
    size_t count = 0;

    for (; arg[count]; count++)
        groups[count] = (gid_t)number(arg[count]);
    return setgroups(count, groups);
}

/* ---- names and clocks --------------------------------------------------- */

static int do_hostname(char *arg[])
{
    (void)arg;
    struct utsname names;
    return uname(&names) == -1 ? -1 : answer("%s", names.nodename);
}

static int do_sethostname(char *arg[])
{
    return sethostname(arg[0], strlen(arg[0]));
}

/* clock ID: seconds. */
static int do_clock(char *arg[])
{
    struct timespec now;
    if (clock_gettime((clockid_t)number(arg[0]), &now) == -1)
        return -1;
    return answer("%lld", (long long)now.tv_sec);
}

/* ---- System V and POSIX IPC ---------------------------------------------- */

static int do_msg_create(char *arg[])
{
    int id = msgget((key_t)number(arg[0]), IPC_CREAT | IPC_EXCL | 0600);
    return id == -1 ? -1 : answer("%d", id);
}

static int do_msg_open(char *arg[])
{
    int id = msgget((key_t)number(arg[0]), 0);
    return id == -1 ? -1 : answer("%d", id);
}

struct letter {
    long type;
    char body[256];
};

/* msg_send KEY WORD, msg_receive KEY: one letter through a queue. */
static int do_msg_send(char *arg[])
{
    struct letter letter = {.type = 1};
    int id = msgget((key_t)number(arg[0]), 0);

    if (id == -1)
        return -1;
    snprintf(letter.body, sizeof(letter.body), "%s", arg[1]);
    return msgsnd(id, &letter, strlen(letter.body) + 1, IPC_NOWAIT);
}

static int do_msg_receive(char *arg[])
{
    struct letter letter;
    int id = msgget((key_t)number(arg[0]), 0);

    if (id == -1 ||
        msgrcv(id, &letter, sizeof(letter.body), 0, IPC_NOWAIT) == -1)
        return -1;
    return answer("%s", letter.body);
}

static int do_msg_remove(char *arg[])
{
    int id = msgget((key_t)number(arg[0]), 0);
    return id == -1 ? -1 : msgctl(id, IPC_RMID, NULL);
}

static int do_shm_create(char *arg[])
{
    int id = shmget((key_t)number(arg[0]), 4096, IPC_CREAT | IPC_EXCL | 0600);
    return id == -1 ? -1 : answer("%d", id);
}

static int do_shm_open(char *arg[])
{
    int id = shmget((key_t)number(arg[0]), 0, 0);
    return id == -1 ? -1 : answer("%d", id);
}

static int do_sem_create(char *arg[])
{
    int id = semget((key_t)number(arg[0]), 1, IPC_CREAT | IPC_EXCL | 0600);
    return id == -1 ? -1 : answer("%d", id);
}

static int do_sem_open(char *arg[])
{
    int id = semget((key_t)number(arg[0]), 0, 0);
    return id == -1 ? -1 : answer("%d", id);
}

/* mq_create /NAME, mq_open /NAME, mq_unlink /NAME: the system calls take
 * the name without its slash (mq_overview(7)). */
static int do_mq_create(char *arg[])
{
    int fd = (int)syscall(SYS_mq_open, arg[0] + 1,
                          O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, NULL);
    return fd == -1 ? -1 : close(fd);
}

static int do_mq_open(char *arg[])
{
    int fd =
        (int)syscall(SYS_mq_open, arg[0] + 1, O_RDONLY | O_CLOEXEC, 0, NULL);
    return fd == -1 ? -1 : close(fd);
}

static int do_mq_unlink(char *arg[])
{
    return (int)syscall(SYS_mq_unlink, arg[0] + 1);
}

/* ---- sockets ------------------------------------------------------------ */

static socklen_t abstract_name(struct sockaddr_un *name, const char *word)
{
    memset(name, 0, sizeof(*name));
    name->sun_family = AF_UNIX;
    /* A leading NUL makes it abstract: unix(7). */
    snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "%s", word);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       strlen(word));
}

/* listen NAME, connect NAME: abstract sockets. */
static int do_listen(char *arg[])
{
    struct sockaddr_un name;
    socklen_t length = abstract_name(&name, arg[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *)&name, length) == -1)
        return -1;
    return listen(fd, 8);
}

static int do_connect(char *arg[])
{
    struct sockaddr_un name;
    socklen_t length = abstract_name(&name, arg[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    if (fd == -1)
        return -1;
    error = connect(fd, (struct sockaddr *)&name, length) == -1 ? errno : 0;
    close(fd);
    errno = error;
    return error ? -1 : 0;
}

/* links: the names of all network interfaces. */
static int do_links(char *arg[])
{
    (void)arg;
    struct if_nameindex *links = if_nameindex();

    if (!links)
        return -1;
    for (struct if_nameindex *link = links; link->if_index; link++)
        answer_more(link->if_name);
    if_freenameindex(links);
    return 0;
}

/* ---- files --------------------------------------------------------------- */

/* open PATH [r|w|rw]: can it be opened? */
static int do_open(char *arg[])
{
    int flags = O_RDONLY;

    if (arg[1] && strcmp(arg[1], "w") == 0)
        flags = O_WRONLY;
    if (arg[1] && strcmp(arg[1], "rw") == 0)
        flags = O_RDWR;
    int fd = open(arg[0], flags | O_CLOEXEC);
    return fd == -1 ? -1 : close(fd);
}

/* read PATH: the beginning of a file, its lines joined by "|". */
static int do_read(char *arg[])
{
    char buffer[MAX_LINE / 2];
    int fd = open(arg[0], O_RDONLY | O_CLOEXEC);
    ssize_t length = fd == -1 ? -1 : read(fd, buffer, sizeof(buffer) - 1);
    int error = errno;

    if (fd != -1)
        close(fd);
    if (length == -1) {
        errno = error;
        return -1;
    }
    while (length > 0 && buffer[length - 1] == '\n')
        length--;
    buffer[length] = '\0';
    for (char *c = buffer; *c; c++)
        if (*c == '\n')
            *c = '|';
    return answer("%s", buffer);
}

/* write PATH WORD: to a file, made if it is missing. */
static int do_write(char *arg[])
{
    int fd = open(arg[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644), error;

    if (fd == -1)
        return -1;
    error = write(fd, arg[1], strlen(arg[1])) == -1 ? errno : 0;
    close(fd);
    errno = error;
    return error ? -1 : 0;
}

/* stat PATH: UID GID MODE TYPE, as seen from in here. */
static int do_stat(char *arg[])
{
    struct stat st;

    if (lstat(arg[0], &st) == -1)
        return -1;
    return answer("%u %u %o %s", st.st_uid, st.st_gid, st.st_mode & 07777u,
                  S_ISDIR(st.st_mode)   ? "dir"
                  : S_ISREG(st.st_mode) ? "file"
                  : S_ISLNK(st.st_mode) ? "link"
                  : S_ISCHR(st.st_mode) ? "char"
                                        : "other");
}

/* statfs PATH: the file system's magic number, in hex. */
static int do_statfs(char *arg[])
{
    struct statfs fs;
    return statfs(arg[0], &fs) == -1
               ? -1
               : answer("0x%lx", (unsigned long)fs.f_type);
}

static int do_ls(char *arg[])
{
    struct dirent **entry;
    int count = scandir(arg[0], &entry, NULL, alphasort);

    if (count == -1)
        return -1;
    for (int i = 0; i < count; i++) {
        if (strcmp(entry[i]->d_name, ".") && strcmp(entry[i]->d_name, ".."))
            answer_more(entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return 0;
}

static int do_readlink(char *arg[])
{
    char target[1024];
    ssize_t length = readlink(arg[0], target, sizeof(target) - 1);

    if (length == -1)
        return -1;
    target[length] = '\0';
    return answer("%s", target);
}

static int do_getcwd(char *arg[])
{
    (void)arg;
    char path[1024];
    /* The system call, not the library: it says "(unreachable)". */
    return syscall(SYS_getcwd, path, sizeof(path)) == -1 ? -1
                                                         : answer("%s", path);
}

static int do_chdir(char *arg[])
{
    return chdir(arg[0]);
}

static int do_mkdir(char *arg[])
{
    return mkdir(arg[0], 0755);
}

static int do_unlink(char *arg[])
{
    return unlink(arg[0]);
}

static int do_rmdir(char *arg[])
{
    return rmdir(arg[0]);
}

static int do_chown(char *arg[])
{
    return chown(arg[0], (uid_t)number(arg[1]), (gid_t)number(arg[2]));
}

static int do_mknod(char *arg[])
{
    /* A copy of /dev/null: harmless, but it needs CAP_MKNOD. */
    return mknod(arg[0], S_IFCHR | 0600, (1 << 8) | 3);
}

/* fds: the descriptors that this process has. */
static int do_fds(char *arg[])
{
    (void)arg;
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) != -1) {
            char word[8];
            snprintf(word, sizeof(word), "%d", fd);
            answer_more(word);
        }
    return 0;
}

/* ---- mounts and namespaces ----------------------------------------------- */

/* mount SOURCE TARGET TYPE [FLAGS [DATA]] */
static int do_mount(char *arg[])
{
    return mount(arg[0], arg[1], arg[2],
                 arg[3] ? (unsigned long)number(arg[3]) : 0,
                 arg[3] ? arg[4] : NULL);
}

static int do_umount(char *arg[])
{
    return umount2(arg[0], MNT_DETACH);
}

static int do_chroot(char *arg[])
{
    return chroot(arg[0]);
}

static const struct {
    const char *name;
    int flag;
} namespace_flags[] = {
    {"cgroup", CLONE_NEWCGROUP},
    {"ipc",    CLONE_NEWIPC   },
    {"mnt",    CLONE_NEWNS    },
    {"net",    CLONE_NEWNET   },
    {"pid",    CLONE_NEWPID   },
    {"time",   0x80           },
    {"user",   CLONE_NEWUSER  },
    {"uts",    CLONE_NEWUTS   },
};

/* unshare TYPE... */
static int do_unshare(char *arg[])
{
    int flags = 0;

    for (; *arg; arg++)
        for (size_t i = 0;
             i < sizeof(namespace_flags) / sizeof(namespace_flags[0]); i++)
            if (strcmp(*arg, namespace_flags[i].name) == 0)
                flags |= namespace_flags[i].flag;
    return unshare(flags);
}

static int do_no_new_privs(char *arg[])
{
    (void)arg;
    return answer("%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/* ---- the table ----------------------------------------------------------- */

static const struct request {
    const char *name;
    int words; /* that must follow */
    int (*run)(char *arg[]);
} requests[] = {
    {"getpid",       0, do_getpid      },
    {"getppid",      0, do_getppid     },
    {"getsid",       0, do_getsid      },
    {"fork",         1, do_fork        },
    {"spawn",        0, do_spawn       },
    {"orphan",       1, do_orphan      },
    {"daemon",       0, do_daemon      },
    {"kill",         2, do_kill        },
    {"wait",         1, do_wait        },
    {"exit",         1, do_exit        },
    {"ignore",       1, do_ignore      },
    {"catch",        1, do_catch       },
    {"caught",       0, do_caught      },
    {"exec",         1, do_exec        },
    {"run",          1, do_run         },
    {"alloc",        1, do_alloc       },
    {"getuid",       0, do_getuid      },
    {"getgid",       0, do_getgid      },
    {"getgroups",    0, do_getgroups   },
    {"setuid",       1, do_setuid      },
    {"setgid",       1, do_setgid      },
    {"setgroups",    0, do_setgroups   },
    {"hostname",     0, do_hostname    },
    {"sethostname",  1, do_sethostname },
    {"clock",        1, do_clock       },
    {"msg_create",   1, do_msg_create  },
    {"msg_open",     1, do_msg_open    },
    {"msg_send",     2, do_msg_send    },
    {"msg_receive",  1, do_msg_receive },
    {"msg_remove",   1, do_msg_remove  },
    {"shm_create",   1, do_shm_create  },
    {"shm_open",     1, do_shm_open    },
    {"sem_create",   1, do_sem_create  },
    {"sem_open",     1, do_sem_open    },
    {"mq_create",    1, do_mq_create   },
    {"mq_open",      1, do_mq_open     },
    {"mq_unlink",    1, do_mq_unlink   },
    {"listen",       1, do_listen      },
    {"connect",      1, do_connect     },
    {"links",        0, do_links       },
    {"open",         1, do_open        },
    {"read",         1, do_read        },
    {"write",        2, do_write       },
    {"stat",         1, do_stat        },
    {"statfs",       1, do_statfs      },
    {"ls",           1, do_ls          },
    {"readlink",     1, do_readlink    },
    {"getcwd",       0, do_getcwd      },
    {"chdir",        1, do_chdir       },
    {"mkdir",        1, do_mkdir       },
    {"unlink",       1, do_unlink      },
    {"rmdir",        1, do_rmdir       },
    {"chown",        3, do_chown       },
    {"mknod",        1, do_mknod       },
    {"fds",          0, do_fds         },
    {"mount",        3, do_mount       },
    {"umount",       1, do_umount      },
    {"chroot",       1, do_chroot      },
    {"unshare",      1, do_unshare     },
    {"no_new_privs", 0, do_no_new_privs},
};

static const struct request *find_request(const char *name)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (strcmp(name, requests[i].name) == 0)
            return &requests[i];
    return NULL;
}

/* Answers one request.  Words are separated by blanks. */
static void serve(char *line)
{
    char *word[MAX_WORDS + 1] = {NULL}, *rest = NULL;
    int count = 0;

    for (char *w = strtok_r(line, " \n", &rest); w && count < MAX_WORDS;
         w = strtok_r(NULL, " \n", &rest))
        word[count++] = w;

    const struct request *request = count ? find_request(word[0]) : NULL;
    if (!request || count - 1 < request->words) {
        printf("unknown request\n");
        return;
    }
    result[0] = '\0';
    errno = 0;
    if (request->run(word + 1) == -1)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("ok%s%s\n", result[0] ? " " : "", result);
}

int main(void)
{
    static char line[MAX_LINE];

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    while (fgets(line, sizeof(line), stdin))
        serve(line);
    return 0;
}
