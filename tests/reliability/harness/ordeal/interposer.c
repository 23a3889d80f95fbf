/* Stands between a program and the C library (LD_PRELOAD): counts, breaks and records what it does to the files of one
 * directory.
 *
 * `ordeal_watch` names the directory; from then on every call below it, of a kind that is watched, is a point. At the
 * n-th point the program is killed, or the call fails, once or from then on. With a recording, what succeeded is written
 * down in the order in which it happened, with the data, for `recording.py` to read. Calls below the directory exclude
 * each other, so that this order is the true one. Linux on 64 bits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kinds of calls; `interposer.py` has the same numbers. */
enum { OPEN = 1, READ, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, MAP, LOCK, NOTE = 20, MAPPED, CREATE, LOST_SYNC };
enum { COUNT = 0, KILL, FAIL, TEAR, SHORTEN };

struct record {
    uint32_t kind, first, second, data; /* lengths of two names and of the data that follow */
    uint64_t inode, offset;
};

#define FILES 65536
#define MAPPINGS 64
#define MAPPED_BYTES 4096

static struct { uint64_t inode; char watched; char shared; } files[FILES];
static struct { uint64_t inode; const char *at; size_t size; char seen[MAPPED_BYTES]; } mappings[MAPPINGS];
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int recording = -1;
static int action, error_to_raise, forever;
static long strike_at, points, felt;
static uint32_t kinds;

static void write_down(const void *data, size_t size) {
    while (size > 0) {
        ssize_t done = syscall(SYS_write, recording, data, size);
        if (done <= 0) abort(); /* half a recording would be worse than none */
        data = (const char *)data + done;
        size -= (size_t)done;
    }
}

static void record(uint32_t kind, uint64_t inode, uint64_t offset, const char *first, const char *second, const void *data, size_t size) {
    if (recording < 0) return;
    struct record head = {kind, first ? strlen(first) : 0, second ? strlen(second) : 0, size, inode, offset};
    write_down(&head, sizeof head);
    if (first) write_down(first, head.first);
    if (second) write_down(second, head.second);
    if (size) write_down(data, size);
}

/* What was stored into mapped files leaves no call behind, so it is looked for at every other event. */
static void look_at_mappings(void) {
    for (int i = 0; i < MAPPINGS && recording >= 0; i++) {
        if (mappings[i].at && memcmp(mappings[i].at, mappings[i].seen, mappings[i].size)) {
            memcpy(mappings[i].seen, mappings[i].at, mappings[i].size);
            record(MAPPED, mappings[i].inode, 0, NULL, NULL, mappings[i].seen, mappings[i].size);
        }
    }
}

/* Called in turn, before a call: 0 to let it happen, an errno to let it fail, -1 to do half of it. */
static int strike(int kind) {
    look_at_mappings();
    if (!(kinds >> kind & 1)) return 0;
    points++;
    if (action == COUNT || (forever ? points < strike_at : points != strike_at)) return 0;
    felt++;
    if (action == TEAR || action == SHORTEN) return kind == WRITE ? -1 : 0;
    if (action == KILL) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    return error_to_raise;
}

static int below(const char *path) {
    char whole[PATH_MAX * 2];
    if (!root_length || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, PATH_MAX)) return 0;
        strcat(strcat(whole, "/"), path);
        path = whole;
    }
    return !strncmp(path, root, root_length) && (path[root_length] == '/' || path[root_length] == 0);
}

static int known(int fd) { return fd >= 0 && fd < FILES && files[fd].watched; }

static uint64_t inode_of(const char *path) {
    struct stat found;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) ? 0 : found.st_ino;
}

/* --- what the program's harness calls ---------------------------------------------------------------------------- */

void ordeal_watch(const char *directory, const char *recorded, uint32_t watched, int what, long when, int always, int error) {
    pthread_mutex_lock(&turn);
    strncpy(root, directory, PATH_MAX - 1);
    root_length = strlen(root);
    kinds = watched, action = what, strike_at = when, forever = always, error_to_raise = error;
    points = felt = 0;
    memset(files, 0, sizeof files);
    memset(mappings, 0, sizeof mappings);
    if (recording >= 0) syscall(SYS_close, recording);
    recording = recorded[0] ? (int)syscall(SYS_openat, AT_FDCWD, recorded, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    pthread_mutex_unlock(&turn);
}

/* No more faults from now on; a recording goes on. */
void ordeal_relent(void) {
    pthread_mutex_lock(&turn);
    action = COUNT;
    pthread_mutex_unlock(&turn);
}

long ordeal_points(void) { return points; }
long ordeal_felt(void) { return felt; }

void ordeal_note(const char *text, size_t size) {
    pthread_mutex_lock(&turn);
    look_at_mappings();
    record(NOTE, 0, 0, NULL, NULL, text, size);
    pthread_mutex_unlock(&turn);
}

/* --- what stands in for the C library's own ----------------------------------------------------------------------- */

static int open_in_turn(int directory, const char *path, int flags, mode_t mode) {
    struct stat found;
    uint64_t before = inode_of(path);
    int failure = strike(OPEN);
    if (failure > 0) return errno = failure, -1;
    int fd = (int)syscall(SYS_openat, directory, path, flags, mode);
    if (fd < 0 || fd >= FILES) return fd;
    int kept = errno;
    if (syscall(SYS_fstat, fd, &found) == 0) {
        files[fd].inode = found.st_ino, files[fd].watched = 1, files[fd].shared = 0;
        if (!before) record(CREATE, found.st_ino, 0, path, NULL, NULL, 0);
        else if (flags & O_TRUNC) record(TRUNCATE, found.st_ino, 0, NULL, NULL, NULL, 0);
    }
    errno = kept;
    return fd;
}

static int open_any(int directory, const char *path, int flags, mode_t mode) {
    if (!below(path)) return (int)syscall(SYS_openat, directory, path, flags, mode);
    pthread_mutex_lock(&turn);
    int fd = open_in_turn(directory, path, flags, mode);
    pthread_mutex_unlock(&turn);
    return fd;
}

#define WITH_MODE(last) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, last); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { WITH_MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { WITH_MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { WITH_MODE(flags) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { WITH_MODE(flags) return open_any(at, path, flags, mode); }

int close(int fd) {
    if (!known(fd)) return (int)syscall(SYS_close, fd);
    pthread_mutex_lock(&turn);
    files[fd].watched = 0;
    int done = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&turn);
    return done;
}

static ssize_t write_in_turn(int fd, const void *data, size_t size, off_t offset, int positioned) {
    int failure = strike(WRITE);
    if (failure > 0) return errno = failure, -1;
    if (failure < 0) size = (size + 1) / 2;
    if (!positioned) {
        off_t end = fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR;
        offset = (off_t)syscall(SYS_lseek, fd, 0, end);
    }
    ssize_t done = positioned ? syscall(SYS_pwrite64, fd, data, size, offset) : syscall(SYS_write, fd, data, size);
    int kept = errno;
    if (done > 0) record(WRITE, files[fd].inode, (uint64_t)offset, NULL, NULL, data, (size_t)done);
    if (failure < 0 && action == TEAR) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    errno = kept;
    return done;
}

static ssize_t write_any(int fd, const void *data, size_t size, off_t offset, int positioned) {
    if (!known(fd)) return positioned ? syscall(SYS_pwrite64, fd, data, size, offset) : syscall(SYS_write, fd, data, size);
    pthread_mutex_lock(&turn);
    ssize_t done = write_in_turn(fd, data, size, offset, positioned);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return write_any(fd, data, size, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return write_any(fd, data, size, offset, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return write_any(fd, data, size, offset, 1); }

#define CALL_ON_FILE(kind, call, logged) \
    if (!known(fd)) return (int)(call); \
    pthread_mutex_lock(&turn); \
    int failure = strike(kind); \
    int done = failure > 0 ? -1 : (int)(call); \
    int kept = failure > 0 ? failure : errno; \
    if (done >= 0) logged; \
    else if (kind == SYNC) record(LOST_SYNC, files[fd].inode, 0, NULL, NULL, NULL, 0); \
    pthread_mutex_unlock(&turn); \
    errno = kept; \
    return done;

#define RECORD(kind, size) record(kind, files[fd].inode, (uint64_t)(size), NULL, NULL, NULL, 0)

int ftruncate(int fd, off_t size) { CALL_ON_FILE(TRUNCATE, syscall(SYS_ftruncate, fd, size), RECORD(TRUNCATE, size)) }
int ftruncate64(int fd, off_t size) { CALL_ON_FILE(TRUNCATE, syscall(SYS_ftruncate, fd, size), RECORD(TRUNCATE, size)) }
int fsync(int fd) { CALL_ON_FILE(SYNC, syscall(SYS_fsync, fd), RECORD(SYNC, 0)) }
int fdatasync(int fd) { CALL_ON_FILE(SYNC, syscall(SYS_fdatasync, fd), RECORD(SYNC, 0)) }

/* The kernel refuses no unlocking, so neither do we. */
int flock(int fd, int operation) {
    if (operation & LOCK_UN) return (int)syscall(SYS_flock, fd, operation);
    CALL_ON_FILE(LOCK, syscall(SYS_flock, fd, operation), (void)0)
}

static ssize_t read_any(int fd, void *data, size_t size, off_t offset, int positioned) {
    int failure = 0;
    if (known(fd)) {
        pthread_mutex_lock(&turn);
        failure = strike(READ);
        pthread_mutex_unlock(&turn);
    }
    if (failure > 0) return errno = failure, -1;
    return positioned ? syscall(SYS_pread64, fd, data, size, offset) : syscall(SYS_read, fd, data, size);
}

ssize_t read(int fd, void *data, size_t size) { return read_any(fd, data, size, 0, 0); }
ssize_t pread(int fd, void *data, size_t size, off_t offset) { return read_any(fd, data, size, offset, 1); }
ssize_t pread64(int fd, void *data, size_t size, off_t offset) { return read_any(fd, data, size, offset, 1); }

#define CALL_ON_NAMES(kind, concerned, call, logged) \
    if (!(concerned)) return (int)(call); \
    pthread_mutex_lock(&turn); \
    int failure = strike(kind); \
    int done = failure > 0 ? -1 : (int)(call); \
    int kept = failure > 0 ? failure : errno; \
    if (done >= 0) logged; \
    pthread_mutex_unlock(&turn); \
    errno = kept; \
    return done;

int rename(const char *from, const char *to) {
    CALL_ON_NAMES(RENAME, below(from) || below(to), syscall(SYS_rename, from, to), record(RENAME, 0, 0, from, to, NULL, 0))
}

int renameat(int at, const char *from, int there, const char *to) {
    CALL_ON_NAMES(RENAME, below(from) || below(to), syscall(SYS_renameat, at, from, there, to), record(RENAME, 0, 0, from, to, NULL, 0))
}

int link(const char *from, const char *to) {
    CALL_ON_NAMES(LINK, below(to), syscall(SYS_link, from, to), record(LINK, inode_of(to), 0, to, NULL, NULL, 0))
}

int unlink(const char *path) {
    CALL_ON_NAMES(UNLINK, below(path), syscall(SYS_unlink, path), record(UNLINK, 0, 0, path, NULL, NULL, 0))
}

int unlinkat(int at, const char *path, int flags) {
    CALL_ON_NAMES(UNLINK, below(path), syscall(SYS_unlinkat, at, path, flags), record(UNLINK, 0, 0, path, NULL, NULL, 0))
}

int mkdir(const char *path, mode_t mode) {
    CALL_ON_NAMES(MKDIR, below(path), syscall(SYS_mkdir, path, mode), record(MKDIR, inode_of(path), 0, path, NULL, NULL, 0))
}

int rmdir(const char *path) {
    CALL_ON_NAMES(RMDIR, below(path), syscall(SYS_rmdir, path), record(UNLINK, 0, 0, path, NULL, NULL, 0))
}

static void *map_in_turn(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    struct stat found;
    char watched = 0;
    if (fd >= 0 && (flags & MAP_SHARED) && root_length && syscall(SYS_fstat, fd, &found) == 0)
        for (int other = 0; other < FILES && !watched; other++) watched = files[other].watched && files[other].inode == found.st_ino;
    int failure = watched ? strike(MAP) : 0;
    if (failure > 0) return errno = failure, MAP_FAILED;
    void *mapped = (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    /* A file that is mapped for writing holds what its processes share; of a large one its beginning says the most. */
    if (watched && mapped != MAP_FAILED && (protection & PROT_WRITE) && offset == 0)
        for (int i = 0; i < MAPPINGS; i++)
            if (!mappings[i].at) {
                mappings[i].inode = found.st_ino, mappings[i].size = size < MAPPED_BYTES ? size : MAPPED_BYTES, mappings[i].at = mapped;
                memcpy(mappings[i].seen, mapped, mappings[i].size);
                break;
            }
    return mapped;
}

static void *map_any(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    if (fd < 0 || !root_length) return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    pthread_mutex_lock(&turn);
    void *mapped = map_in_turn(at, size, protection, flags, fd, offset);
    pthread_mutex_unlock(&turn);
    return mapped;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) { return map_any(at, size, protection, flags, fd, offset); }
void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset) { return map_any(at, size, protection, flags, fd, offset); }

int munmap(void *at, size_t size) {
    if (root_length) {
        pthread_mutex_lock(&turn);
        look_at_mappings();
        for (int i = 0; i < MAPPINGS; i++)
            if (mappings[i].at == at) mappings[i].at = NULL;
        pthread_mutex_unlock(&turn);
    }
    return (int)syscall(SYS_munmap, at, size);
}
