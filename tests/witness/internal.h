/*
 * internal.h - what the parts of the witness tell each other.
 *
 * host.c makes the outside; run.c starts tests; inside a test, hands.c starts boxes, look.c reads and
 * judges, text.c keeps strings; census.c counts before and after.
 */
#ifndef WITNESS_INTERNAL_H
#define WITNESS_INTERNAL_H

#include "witness.h"

#include <stdio.h>

/* The suite itself could not do its work: no verdict. */
enum { USAGE_ERROR = 125 };

/* The channel from a test to its runner; no box ever holds it. */
extern int note_fd;

/* Writes one note: a KIND ("saw", "skip") and three fields. */
void note(const char *kind, const char *a, const char *b, const char *c);

/* Ends the test as failed, after printing what a reader needs. */
void fail_claim(const char *claim, const char *expected, const char *seen,
                const char *source) __attribute__((noreturn));
/* The same for "the test itself could not go on"; errno is added. */
void fail_errno(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void fail_text(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

const char *vtext(const char *format, va_list args);
/* All of a descriptor, from its beginning where it has one. */
const char *fd_text(int fd);

int64_t now_ns(void);
/* Nanoseconds until this test's bound is reached; a little before the
 * runner's own, so that a wait ends with a sentence and not a kill. */
int64_t left_ns(void);

/* The program that the suite was called with, for hands.c. */
extern const char *const *suite_box;
extern uid_t suite_user;
extern char suite_directory[], suite_probe[];
extern char test_scratch[];
extern int64_t test_until_ns;
extern unsigned suite_bound;

/* host.c: goes where the tests are to run.  Returns in the process that runs
 * them; suite_blocked then says why none can, or is NULL. */
void host_take_stand(enum witness_stand stand);
/* Puts a copy of the program PATH where every user can reach it (a clone may
 * stand below a closed /root), and writes its new path to PATH; leaves both
 * as they are on a host that is not ours. */
void host_publish(char *path, size_t size);
extern bool suite_throwaway; /* in namespaces of our own? */
extern bool suite_own_tmp;   /* /tmp and /dev/shm too? */
extern const char *suite_blocked;

#endif
