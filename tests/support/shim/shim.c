/* Preloaded into a process, it stands between the program and the files of one folder: it counts every operation that
 * changes something on the disk, logs it, delays syncs, returns errors and kills the process before or after one.
 *
 * SHIM_DIR: the folder, an absolute path without links. SHIM_CONTROL: a file of struct control, shared with the test,
 * which may change it at any time. SHIM_LOG: where the operations go, as `shim.py` reads them; optional.
 * The memory-mapped -shm file of SQLite is no durable state and is left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t count;       /* operations so far; the first is 1 */
    int64_t kill_before; /* SIGKILL instead of this operation; 0: never, here and below */
    int64_t kill_after;  /* SIGKILL right after it */
    int64_t error_at;    /* this operation fails with error */
    int64_t error;       /* an errno */
    int64_t error_stays; /* and all later ones */
    int64_t sync_us;     /* each sync takes so much longer */
    int64_t syncs;       /* syncs so far */
};

enum kind { CREATE = 'c', WRITE = 'w', TRUNCATE = 't', SYNC = 's', UNLINK = 'u', RENAME = 'r' };

#define FDS 4096
static char *names[FDS]; /* path below the folder of each descriptor we care for */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct control none, *control;
static const char *folder;
static size_t folder_length;
static int log_fd = -1;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static void begin(void) {
    if (control)
        return;
    folder = getenv("SHIM_DIR");
    const char *path = getenv("SHIM_CONTROL"), *log = getenv("SHIM_LOG");
    control = &none;
    if (!folder || !path)
        return;
    folder_length = strlen(folder);
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        abort();
    REAL(close)(fd);
    if (log && (log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        abort();
    control = shared;
}

/* The path below the folder, or NULL for one that does not concern us. */
static const char *ours(const char *path) {
    begin();
    if (!folder || strncmp(path, folder, folder_length) || path[folder_length] != '/')
        return NULL;
    const char *name = path + folder_length + 1, *end = strrchr(name, '-');
    return end && !strcmp(end, "-shm") ? NULL : name;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FDS ? names[fd] : NULL; }

static void record(enum kind kind, int failed, const char *name, const char *other, int64_t offset, const void *data,
                   size_t size) {
    if (log_fd < 0)
        return;
    struct {
        uint8_t kind, failed;
        uint16_t name, other;
        uint64_t size;
        int64_t offset;
    } __attribute__((packed)) head = {kind, failed, strlen(name), other ? strlen(other) : 0, data ? size : 0, offset};
    size_t length = sizeof head + head.name + head.other + head.size;
    char *line = malloc(length), *at = line;
    if (!line)
        abort();
    at = mempcpy(at, &head, sizeof head);
    at = mempcpy(at, name, head.name);
    if (other)
        at = mempcpy(at, other, head.other);
    if (data)
        memcpy(at, data, size);
    if (REAL(write)(log_fd, line, length) != (ssize_t)length)
        abort();
    free(line);
}

/* Called with the mutex held, before an operation. Returns its number, or 0 when it must fail; errno is then set. */
static int64_t before(enum kind kind) {
    int64_t number = ++control->count;
    if (number == control->kill_before)
        kill(getpid(), SIGKILL);
    if (kind == SYNC) {
        control->syncs++;
        if (control->sync_us) {
            struct timespec delay = {control->sync_us / 1000000, control->sync_us % 1000000 * 1000};
            nanosleep(&delay, NULL);
        }
    }
    int64_t at = control->error_at;
    if (at && (number == at || (control->error_stays && number > at))) {
        errno = (int)control->error;
        return 0;
    }
    return number;
}

static void after(int64_t number) {
    if (number == control->kill_after)
        kill(getpid(), SIGKILL);
}

/* What an operation returned goes out as it is; errno survives. */
#define OPERATION(type, kind, name, other, offset, data, size, call)                                                   \
    do {                                                                                                               \
        pthread_mutex_lock(&mutex);                                                                                    \
        int64_t number = before(kind), at = offset;                                                                    \
        type result = number ? (type)(call) : (type)-1;                                                                \
        int saved = errno;                                                                                             \
        record(kind, result == (type)-1, name, other, at, data, size);                                                 \
        if (number)                                                                                                    \
            after(number);                                                                                             \
        pthread_mutex_unlock(&mutex);                                                                                  \
        errno = saved;                                                                                                 \
        return result;                                                                                                 \
    } while (0)

static void remember(int fd, const char *name) {
    if (fd >= 0 && fd < FDS) {
        free(names[fd]);
        names[fd] = name ? strdup(name) : NULL;
    }
}

static int create(const char *name, int (*call)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    OPERATION(int, CREATE, name, NULL, 0, NULL, 0, call(path, flags, mode));
}

/* Opening what exists changes nothing, unless it is emptied; a folder is opened to be synced. */
static int opened(int (*call)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *name = ours(path);
    int fd, fresh = name && (flags & O_CREAT) && access(path, F_OK) != 0;
    fd = fresh || (name && (flags & O_TRUNC)) ? create(name, call, path, flags, mode) : call(path, flags, mode);
    if (folder && !name && !strcmp(path, folder))
        name = "";
    remember(fd, name);
    return fd;
}

#define OPEN(function)                                                                                                 \
    int function(const char *path, int flags, ...) {                                                                   \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                                       \
        va_end(list);                                                                                                  \
        return opened(REAL(function), path, flags, mode);                                                              \
    }

OPEN(open)
OPEN(open64)

#define OPENAT(function)                                                                                               \
    int function(int at, const char *path, int flags, ...) {                                                           \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                                       \
        va_end(list);                                                                                                  \
        return at == AT_FDCWD ? opened(REAL(open64), path, flags, mode) : REAL(function)(at, path, flags, mode);      \
    }

OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    remember(fd, NULL);
    return REAL(close)(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    const char *name = name_of(fd);
    if (!name)
        return REAL(write)(fd, data, size);
    OPERATION(ssize_t, WRITE, name, NULL, lseek(fd, 0, SEEK_CUR), data, size, REAL(write)(fd, data, size));
}

#define PWRITE(function, offset_type)                                                                                  \
    ssize_t function(int fd, const void *data, size_t size, offset_type offset) {                                      \
        const char *name = name_of(fd);                                                                                \
        if (!name)                                                                                                     \
            return REAL(function)(fd, data, size, offset);                                                             \
        OPERATION(ssize_t, WRITE, name, NULL, offset, data, size, REAL(function)(fd, data, size, offset));            \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE_TO(function, offset_type)                                                                             \
    int function(int fd, offset_type size) {                                                                           \
        const char *name = name_of(fd);                                                                                \
        if (!name)                                                                                                     \
            return REAL(function)(fd, size);                                                                           \
        OPERATION(int, TRUNCATE, name, NULL, size, NULL, 0, REAL(function)(fd, size));                                 \
    }

TRUNCATE_TO(ftruncate, off_t)
TRUNCATE_TO(ftruncate64, off64_t)

#define SYNC_WITH(function)                                                                                            \
    int function(int fd) {                                                                                             \
        const char *name = name_of(fd);                                                                                \
        if (!name)                                                                                                     \
            return REAL(function)(fd);                                                                                 \
        OPERATION(int, SYNC, name, NULL, 0, NULL, 0, REAL(function)(fd));                                              \
    }

SYNC_WITH(fsync)
SYNC_WITH(fdatasync)

int unlink(const char *path) {
    const char *name = ours(path);
    if (!name || access(path, F_OK) != 0)
        return REAL(unlink)(path);
    OPERATION(int, UNLINK, name, NULL, 0, NULL, 0, REAL(unlink)(path));
}

int rename(const char *from, const char *to) {
    const char *name = ours(from), *other = ours(to);
    if (!name || !other)
        return REAL(rename)(from, to);
    OPERATION(int, RENAME, name, other, 0, NULL, 0, REAL(rename)(from, to));
}
