/* How it works: a VFS of SQLite (https://www.sqlite.org/vfs.html) in front of the system's. It keeps,
 * for each file, what the program wrote and what was synced; after a cut it puts a mixture of the
 * two on the disk. See coord_fault_vfs.h. */
#include "coord_fault_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define FAULT_FILES 4
#define FAULT_FILE_MAX (1u << 18)
#define SECTOR 512

struct fault_image {
    char path[256];
    bool exists;
    size_t len, durable_len;
    uint8_t data[FAULT_FILE_MAX];    /* as the program sees it */
    uint8_t durable[FAULT_FILE_MAX]; /* as of the last sync */
};

struct fault_file {
    sqlite3_file base;
    struct fault_image *image; /* NULL: not one of ours (a temporary file) */
    sqlite3_file *real;
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    enum fault_mode mode;
    int at;   /* the call that fails, from 1 */
    int rc;   /* with what */
    int calls;
    bool tripped;
    uint64_t rng;
    struct fault_image image[FAULT_FILES];
} fault;

static uint32_t fault_random(void)
{
    fault.rng = fault.rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fault.rng >> 33);
}

/* SQLITE_OK: go on. */
static int fault_count(void)
{
    fault.calls++;
    if (fault.mode == FAULT_CUT && fault.tripped)
        return SQLITE_IOERR;
    if (fault.mode == FAULT_NONE || fault.calls != fault.at)
        return SQLITE_OK;
    fault.tripped = true;
    return fault.mode == FAULT_CUT ? SQLITE_IOERR : fault.rc;
}

static struct fault_image *fault_image(const char *path)
{
    for (size_t i = 0; i < FAULT_FILES; i++) {
        struct fault_image *m = &fault.image[i];

        if (!m->path[0])
            snprintf(m->path, sizeof(m->path), "%s", path);
        if (!strcmp(m->path, path))
            return m;
    }
    return NULL;
}

/* ---- a file ---- */

#define REAL(f) (((struct fault_file *)(f))->real)
#define IMAGE(f) (((struct fault_file *)(f))->image)

static int fault_close(sqlite3_file *f)
{
    return REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
}

static int fault_read(sqlite3_file *f, void *out, int len, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), out, len, at);
}

static int fault_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
    struct fault_image *m = IMAGE(f);
    int rc = fault_count();

    if (rc == SQLITE_OK)
        rc = REAL(f)->pMethods->xWrite(REAL(f), data, len, at);
    if (m && fault.mode == FAULT_CUT && (rc == SQLITE_OK || fault.calls == fault.at)) {
        /* the write during which the power goes may reach the disk in part */
        assert_true((size_t)at + (size_t)len <= FAULT_FILE_MAX);
        memcpy(m->data + at, data, (size_t)len);
        if ((size_t)at + (size_t)len > m->len)
            m->len = (size_t)at + (size_t)len;
    }
    return rc;
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = fault_count();

    if (rc == SQLITE_OK)
        rc = REAL(f)->pMethods->xTruncate(REAL(f), size);
    if (rc == SQLITE_OK && IMAGE(f)) {
        if ((size_t)size < IMAGE(f)->len)
            memset(IMAGE(f)->data + size, 0, IMAGE(f)->len - (size_t)size);
        IMAGE(f)->len = (size_t)size;
    }
    return rc;
}

static int fault_sync(sqlite3_file *f, int flags)
{
    struct fault_image *m = IMAGE(f);
    int rc = fault_count();

    (void)flags; /* not handed down: nothing here outlives the test */
    if (rc == SQLITE_OK && m) {
        memcpy(m->durable, m->data, FAULT_FILE_MAX);
        m->durable_len = m->len;
    }
    return rc;
}

static int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}
static int fault_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int fault_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}
static int fault_reserved(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}
static int fault_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int fault_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR;
}
/* No promise at all: appends may tear, sectors may be damaged by a write beside them. */
static int fault_device(sqlite3_file *f)
{
    (void)f;
    return 0;
}
static int fault_shm_map(sqlite3_file *f, int page, int size, int extend,
                         void volatile **out)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
}
static int fault_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}
static void fault_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int fault_shm_unmap(sqlite3_file *f, int del)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), del);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

/* ---- the file system ---- */

static int fault_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags,
                             int *out_flags)
{
    struct fault_file *file = (struct fault_file *)f;
    int rc;

    (void)vfs;
    file->real = (sqlite3_file *)(file + 1);
    file->image = NULL;
    rc = fault.real->xOpen(fault.real, path, file->real, flags, out_flags);
    if (file->real->pMethods) {
        f->pMethods = &fault_methods;
        if (path && rc == SQLITE_OK) {
            file->image = fault_image(path);
            file->image->exists = true;
        }
    }
    return rc;
}

/* The directory is taken to be synced at once: SQLite asks for that with sync_dir. */
static int fault_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    struct fault_image *m = fault_image(path);
    int rc = fault_count();

    (void)vfs;
    if (rc == SQLITE_OK)
        rc = fault.real->xDelete(fault.real, path, sync_dir);
    if (rc == SQLITE_OK && m) {
        m->exists = false;
        m->len = m->durable_len = 0;
        memset(m->data, 0, FAULT_FILE_MAX);
        memset(m->durable, 0, FAULT_FILE_MAX);
    }
    return rc;
}

void fault_begin(enum fault_mode mode, int at, int rc, uint64_t seed)
{
    fault.real = sqlite3_vfs_find("unix");
    assert_non_null(fault.real);
    memset(fault.image, 0, sizeof(fault.image));
    fault.vfs = *fault.real;
    fault.vfs.zName = "fault";
    fault.vfs.pNext = NULL;
    fault.vfs.szOsFile = (int)sizeof(struct fault_file) + fault.real->szOsFile;
    fault.vfs.xOpen = fault_open;
    fault.vfs.xDelete = fault_delete;
    fault.mode = mode;
    fault.at = at;
    fault.rc = rc;
    fault.calls = 0;
    fault.tripped = false;
    fault.rng = seed * 2 + 1;
    assert_int_equal(sqlite3_vfs_register(&fault.vfs, 1), SQLITE_OK);
}

void fault_end(void)
{
    fault.mode = FAULT_NONE;
    assert_int_equal(sqlite3_vfs_unregister(&fault.vfs), SQLITE_OK);
}

/* ---- the power comes back ---- */

static void fault_restore(const struct fault_image *m)
{
    static uint8_t disk[FAULT_FILE_MAX];
    size_t len = fault_random() % 2 ? m->len : m->durable_len;
    FILE *f;

    memcpy(disk, m->durable, FAULT_FILE_MAX);
    for (size_t at = 0; at < FAULT_FILE_MAX; at += SECTOR) {
        if (memcmp(disk + at, m->data + at, SECTOR) && fault_random() % 2)
            memcpy(disk + at, m->data + at, SECTOR);
    }
    if (len < m->durable_len && m->durable_len <= m->len)
        len = m->durable_len;
    f = fopen(m->path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(disk, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

void fault_power_back(const char *database)
{
    char shm[300];

    for (size_t i = 0; i < FAULT_FILES; i++) {
        struct fault_image *m = &fault.image[i];

        if (!m->path[0])
            continue;
        if (m->exists)
            fault_restore(m);
        else
            unlink(m->path);
    }
    snprintf(shm, sizeof(shm), "%s-shm", database);
    unlink(shm); /* it lives in memory */
}

int fault_calls(void)
{
    return fault.calls;
}

bool fault_tripped(void)
{
    return fault.tripped;
}

void fault_cut_next(void)
{
    fault.at = fault.calls + 1;
}
