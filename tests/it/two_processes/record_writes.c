/* Records what a process writes to its SQLite database, and when it was synced. Loaded with LD_PRELOAD; the record goes to
 * the file of OWP_TEST_RECORD. A record is a byte for the operation (write, sync, truncate, delete), a byte for the file
 * (database, write-ahead log, journal), offset and length as 64 bits each, and the bytes of a write. Its place in the file is
 * its place in time: an operation and its record are one step. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("OWP_TEST_RECORD");
    if (path) record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Names the file by its ending: 0 for one that is not recorded. */
static char kind_of_path(const char *path) {
    static const struct { const char *ending; char kind; } kinds[] = {
        {".db", 'd'}, {".db-wal", 'w'}, {".db-journal", 'j'},
    };
    size_t length = strlen(path);
    for (size_t at = 0; at < sizeof kinds / sizeof *kinds; at++) {
        size_t ending = strlen(kinds[at].ending);
        if (length >= ending && strcmp(path + length - ending, kinds[at].ending) == 0) return kinds[at].kind;
    }
    return 0;
}

static char kind_of(int file) {
    char link[32], path[4096];
    if (record < 0 || file < 3) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return kind_of_path(path);
}

static void note(char operation, char kind, uint64_t offset, const void *bytes, uint64_t length) {
    char head[18] = {operation, kind};
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &length, 8);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, bytes ? length : 0}};
    ssize_t whole = sizeof head + parts[1].iov_len;
    if (syscall(SYS_writev, record, parts, 2) != whole) abort();
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
    char kind = kind_of(file);
    if (!kind) return syscall(SYS_pwrite64, file, bytes, length, offset);
    pthread_mutex_lock(&turn);
    ssize_t written = syscall(SYS_pwrite64, file, bytes, length, offset);
    if (written > 0) note('w', kind, offset, bytes, written);
    pthread_mutex_unlock(&turn);
    return written;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) {
    return pwrite(file, bytes, length, offset);
}

static int sync_by(long call, int file) {
    char kind = kind_of(file);
    if (!kind) return syscall(call, file);
    pthread_mutex_lock(&turn);
    int failed = syscall(call, file);
    if (!failed) note('s', kind, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    return failed;
}

int fsync(int file) { return sync_by(SYS_fsync, file); }
int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

int ftruncate(int file, off_t length) {
    char kind = kind_of(file);
    if (!kind) return syscall(SYS_ftruncate, file, length);
    pthread_mutex_lock(&turn);
    int failed = syscall(SYS_ftruncate, file, length);
    if (!failed) note('t', kind, length, NULL, 0);
    pthread_mutex_unlock(&turn);
    return failed;
}

int ftruncate64(int file, off64_t length) { return ftruncate(file, length); }

int unlink(const char *path) {
    char kind = record < 0 ? 0 : kind_of_path(path);
    if (!kind) return syscall(SYS_unlink, path);
    pthread_mutex_lock(&turn);
    int failed = syscall(SYS_unlink, path);
    if (!failed) note('x', kind, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    return failed;
}
