/* A disk that fails: stands before the C library's calls that change files, in the process that it is loaded into.

   It counts the calls on paths under FAULT_UNDER. The FAULT_AT-th of them, and the FAULT_COUNT - 1 after it, fail:
   FAULT_KIND is an error number, or KILL (the process dies before the call), or TEAR (it dies with half of what it was
   to write written). FAULT_IN is an argument that the process must have been started with. FAULT_ONCE names a file
   that is made when the fault comes: a process that finds it has none. FAULT_LOG names a file that gets a line for
   each call, with its name and path; FAULT_ONCE gets that of the first call that fails.
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SOUND = 0, KILL = -1, TEAR = -2 };

static char under[PATH_MAX], once[PATH_MAX];
static size_t under_length;
static int log_fd = -1, kind;
static long at, count;
static atomic_long calls;
static atomic_int armed;

static const char *given(const char *name) {
    const char *text = getenv(name);
    return text ? text : "";
}

/* Straight to the kernel, here and below, so that nothing of this is counted. */
static int plain_open(const char *path, int flags) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0644);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    pause();
}

static int has_argument(const char *word) {
    char text[65536] = "";
    int fd = plain_open("/proc/self/cmdline", O_RDONLY);
    long length = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
    if (fd >= 0) syscall(SYS_close, fd);
    for (long i = 0; i < length; i += (long)strlen(text + i) + 1)
        if (!strcmp(text + i, word)) return 1;
    return 0;
}

/* Count from here on, as the environment says now. A fork calls it by itself. */
__attribute__((constructor)) void failing_disk_arm(void) {
    armed = 0;
    calls = 0;
    if (!*given("FAULT_UNDER") || (*given("FAULT_IN") && !has_argument(given("FAULT_IN")))) return;
    /* As /proc tells the paths of open files, if it is there by now. */
    if (!realpath(given("FAULT_UNDER"), under)) strncpy(under, given("FAULT_UNDER"), sizeof under - 1);
    under_length = strlen(under);
    strncpy(once, given("FAULT_ONCE"), sizeof once - 1);
    at = *once && !access(once, F_OK) ? 0 : atol(given("FAULT_AT"));
    count = *given("FAULT_COUNT") ? atol(given("FAULT_COUNT")) : 1;
    kind = !strcmp(given("FAULT_KIND"), "KILL") ? KILL : !strcmp(given("FAULT_KIND"), "TEAR") ? TEAR : atoi(given("FAULT_KIND"));
    if (*given("FAULT_LOG")) log_fd = plain_open(given("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
    armed = 1;
}

/* What a descriptor refers to, or a path relative to one; NULL if nothing. */
static const char *path_at(int fd, const char *path, char *buffer) {
    char link[64];
    if (path && *path == '/') return path;
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    if (path) snprintf(buffer + length, (size_t)(PATH_MAX - length), "/%s", path);
    return buffer;
}

/* What is to happen to a call: SOUND, TEAR or an error number. */
static int fate(const char *name, int fd, const char *path) {
    char buffer[PATH_MAX], line[PATH_MAX + 64];
    int saved = errno;
    const char *on = armed ? path_at(fd, path, buffer) : NULL;
    errno = saved;
    if (!on || strncmp(on, under, under_length) || (on[under_length] && on[under_length] != '/')) return SOUND;
    long number = ++calls;
    int length = snprintf(line, sizeof line, "%s %s\n", name, on);
    if (log_fd >= 0) syscall(SYS_write, log_fd, line, length);
    if (!at || number < at || number >= at + count) return SOUND;
    if (*once && number == at) {
        int fd = plain_open(once, O_WRONLY | O_CREAT);
        syscall(SYS_write, fd, line, length);
        syscall(SYS_close, fd);
    }
    if (kind == KILL) die();
    return kind;
}

#define REAL(name)                                        \
    ({                                                    \
        static __typeof__(&name) real;                    \
        if (!real) real = dlsym(RTLD_NEXT, #name);        \
        real;                                             \
    })

/* Fail, or die after `half`, or go on with the real call. */
#define CALL(name, said, fd, path, half, ...)             \
    do {                                                  \
        int error = fate(said, fd, path);                 \
        if (error == TEAR) {                              \
            half;                                         \
            die();                                        \
        }                                                 \
        if (error) {                                      \
            errno = error;                                \
            return -1;                                    \
        }                                                 \
        return REAL(name)(__VA_ARGS__);                   \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    CALL(write, "write", fd, NULL, syscall(SYS_write, fd, bytes, length / 2), fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int many) {
    CALL(writev, "writev", fd, NULL, syscall(SYS_write, fd, parts->iov_base, parts->iov_len / 2), fd, parts, many);
}

#define PWRITE(name)                                                                                    \
    ssize_t name(int fd, const void *bytes, size_t length, off_t offset) {                              \
        CALL(name, "pwrite", fd, NULL, syscall(SYS_pwrite64, fd, bytes, length / 2, offset), fd, bytes, \
             length, offset);                                                                           \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

int fsync(int fd) { CALL(fsync, "fsync", fd, NULL, (void)0, fd); }
int fdatasync(int fd) { CALL(fdatasync, "fdatasync", fd, NULL, (void)0, fd); }
int ftruncate(int fd, off_t length) { CALL(ftruncate, "ftruncate", fd, NULL, (void)0, fd, length); }
int ftruncate64(int fd, off_t length) { CALL(ftruncate64, "ftruncate", fd, NULL, (void)0, fd, length); }

/* These return the error itself. */
#define ALLOCATE(name)                                            \
    int name(int fd, off_t offset, off_t length) {                \
        int error = fate("fallocate", fd, NULL);                  \
        if (error == TEAR) die();                                 \
        return error ? error : REAL(name)(fd, offset, length);    \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

/* Only opening that may make a file changes anything. */
#define MODE(flags)                                                          \
    mode_t mode = 0;                                                         \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                   \
        va_list rest;                                                        \
        va_start(rest, flags);                                               \
        mode = va_arg(rest, mode_t);                                         \
        va_end(rest);                                                        \
    }                                                                        \
    if (flags & O_CREAT)
#define OPEN(name)                                                           \
    int name(const char *path, int flags, ...) {                             \
        MODE(flags) CALL(name, "open", AT_FDCWD, path, (void)0, path, flags, mode); \
        return REAL(name)(path, flags, mode);                                \
    }
#define OPENAT(name)                                                         \
    int name(int fd, const char *path, int flags, ...) {                     \
        MODE(flags) CALL(name, "open", fd, path, (void)0, fd, path, flags, mode); \
        return REAL(name)(fd, path, flags, mode);                            \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) { CALL(mkdir, "mkdir", AT_FDCWD, path, (void)0, path, mode); }
int unlink(const char *path) { CALL(unlink, "unlink", AT_FDCWD, path, (void)0, path); }
int unlinkat(int fd, const char *path, int flags) { CALL(unlinkat, "unlink", fd, path, (void)0, fd, path, flags); }
int rename(const char *old, const char *new) { CALL(rename, "rename", AT_FDCWD, new, (void)0, old, new); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    CALL(renameat2, "rename", to, new, (void)0, from, old, to, new, flags);
}
int link(const char *old, const char *new) { CALL(link, "link", AT_FDCWD, new, (void)0, old, new); }
int linkat(int from, const char *old, int to, const char *new, int flags) {
    CALL(linkat, "link", to, new, (void)0, from, old, to, new, flags);
}
