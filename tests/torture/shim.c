/* Faults for programs that are started with this in LD_PRELOAD.
 *
 * TORTURE_DISK=ROLE:BYTES  so many bytes a process of this role writes to regular files, and then the disk is full for it.
 *                          A write that does not fit is carried out in part, as on a real disk. Roles: coordinator, agent.
 * TORTURE_CLOCK=FILE       eight bytes: how many nanoseconds the wall clock is ahead. May change at any time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_long left = -1;
static const volatile int64_t *ahead;

static int has_role(const char *role, size_t length) {
    char line[4096];
    int fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : syscall(SYS_read, fd, line, sizeof line - 1);
    if (fd >= 0) syscall(SYS_close, fd);
    if (size <= 0) return 0;
    line[size] = 0;
    const char *word = line + strlen(line) + 1;
    const char *mine = "other";
    if (word < line + size) {
        size_t letters = strlen(word);
        if (strcmp(word, "agent") == 0) mine = "agent";
        else if (letters > 5 && strcmp(word + letters - 5, ".toml") == 0) mine = "coordinator";
    }
    return strlen(mine) == length && strncmp(mine, role, length) == 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *disk = getenv("TORTURE_DISK");
    const char *colon = disk ? strchr(disk, ':') : NULL;
    if (colon && has_role(disk, colon - disk)) left = atol(colon + 1);
    const char *clock = getenv("TORTURE_CLOCK");
    if (clock) {
        int fd = syscall(SYS_openat, AT_FDCWD, clock, O_RDONLY | O_CLOEXEC);
        void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) ahead = map;
        if (fd >= 0) syscall(SYS_close, fd);
    }
}

ssize_t write(int fd, const void *bytes, size_t size) {
    struct stat file;
    long room = left;
    if (room < 0 || size == 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        return syscall(SYS_write, fd, bytes, size);
    }
    if (room == 0) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t written = syscall(SYS_write, fd, bytes, size < (size_t)room ? size : (size_t)room);
    if (written > 0) left = room - written;
    return written;
}

static void step(struct timespec *now) {
    if (!ahead) return;
    int64_t nanos = now->tv_nsec + *ahead % 1000000000;
    now->tv_sec += *ahead / 1000000000 + nanos / 1000000000;
    nanos %= 1000000000;
    if (nanos < 0) {
        nanos += 1000000000;
        now->tv_sec--;
    }
    now->tv_nsec = nanos;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) step(now);
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now) *now = precise.tv_sec;
    return precise.tv_sec;
}
