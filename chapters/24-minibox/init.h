/*
 * init.h - PID 1 inside, and the command that it starts.
 *
 * PID 1 is special, pid_namespaces(7): it inherits every orphan, so it must
 * reap; the kernel drops signals that it has no handler for; and when it
 * ends, the kernel kills all others.  A shell or a server as PID 1 does
 * none of this well.  So this small init is PID 1, and the command its child.
 *
 * Signals: what a terminal sends to a foreground job (INT QUIT TSTP WINCH,
 * and CONT) goes to the command's process group; what is said to one
 * process (TERM HUP USR1 USR2) goes to the command.
 */
#ifndef INIT_H
#define INIT_H

#include "config.h"

#include <signal.h>
#include <sys/types.h>

/* The signals that are passed on, and SIGCHLD. */
void init_signals(sigset_t *signals);

/* In the child: nothing of the caller's but stdin, stdout, stderr and KEEP; a
 * session of its own; out of reach of those inside; and dead when the
 * supervisor is.  To be called once it is root inside: a change of IDs
 * would undo it. */
int init_prepare(int keep, struct error *error);

/* Becomes the command.  MASK: the signals that it finds blocked.  Returns
 * only on failure, -1 with the status 126 or 127. */
int init_exec(const struct config *config, const sigset_t *mask,
              struct error *error);

/* Is PID 1 until COMMAND ends.  Returns its exit status, or 128+N.  All
 * signals must be blocked. */
int init_run(pid_t command);

#endif
