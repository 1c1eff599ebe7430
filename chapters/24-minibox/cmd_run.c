/*
 * cmd_run.c - minibox run: a container that lives as long as its command.
 */
#include "cmd.h"
#include "container.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

static const struct option_row options[] = {
    {"hostname", "NAME", "host name (else minibox)",       config_set_hostname},
    {"memory",   "SIZE", "most memory, no swap (K, M, G)", config_set_memory  },
    {"pids",     "N",    "most processes, init included",  config_set_pids    },
    {NULL,       NULL,   NULL,                             NULL               },
};

static int help(void)
{
    puts("Usage: minibox run [OPTION...] ROOTFS [--] COMMAND [ARG...]\n"
         "\n"
         "Runs COMMAND as root of a container whose / is the directory "
         "ROOTFS.\n");
    options_print(options);
    puts("\n"
         "The container has user, PID, mount, UTS, IPC, network and cgroup\n"
         "namespaces of its own.  Its root is never the host's: root starts\n"
         "it with the IDs of root's range in /etc/subuid (or 100000 to\n"
         "165535); an ordinary user with their own ID as 0, and their range\n"
         "when newuidmap(1) can give it, else with that one ID alone.\n"
         "\n"
         "A limit that cannot be set is an error.  Signals sent to minibox\n"
         "reach COMMAND.  When COMMAND ends, all in the container ends.\n"
         "\n"
         "Exit status: COMMAND's; 128+N when signal N ended it; 125 when\n"
         "minibox failed; 126 when COMMAND cannot be run; 127 when it is not\n"
         "there.");
    return 0;
}

int cmd_run(int argc, char *argv[], struct error *error)
{
    struct config config = {.hostname = "minibox"};
    int status, first = options_parse(options, argc, argv, &config, error);

    if (first == 0)
        return help();
    if (first > 0 && first == argc)
        first = fail(error, "ROOTFS is missing (see: minibox help run)");
    if (first == -1)
        return error->status;
    config.rootfs = argv[first++];
    if (first < argc && strcmp(argv[first], "--") == 0)
        first++;
    if (first == argc) {
        fail(error, "COMMAND is missing (see: minibox help run)");
        return error->status;
    }
    config.command = argv + first;
    if (container_run(&config, &status, error) == -1)
        return error->status;
    return status;
}
