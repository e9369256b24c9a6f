#include "CRecordingVFS.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_PREFIX "/crash-image/"
#define IMAGE_CAPACITY 64
#define SHM_REGION_CAPACITY 64

static const char *const suffixes[VFS_FILE_COUNT] = {"", "-wal", "-journal"};

struct vfs_recording {
    char *path;
    size_t path_length;
    vfs_operation *operations;
    int64_t count;
    int64_t capacity;
    bool ignores_syncs[VFS_FILE_COUNT];
    int64_t syncs_until_failure;  // negative: none is to fail
    bool has_failed;
    int generation;
    struct vfs_recording *next;
};

typedef struct {
    uint8_t *bytes;
    int64_t size;
    int64_t capacity;
    bool is_there;
} image_file;

struct vfs_image {
    char path[64];
    int number;
    image_file files[VFS_FILE_COUNT];
};

static sqlite3_vfs *base_vfs;
static sqlite3_vfs recording_vfs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static vfs_recording *recordings;
static vfs_image *images[IMAGE_CAPACITY];

// MARK: Recording

/// The recording that a path belongs to; NULL: nobody records it. Call with the lock held.
static vfs_recording *recording_of(const char *path, vfs_file *file) {
    for (vfs_recording *recording = recordings; recording != NULL; recording = recording->next) {
        if (path == NULL || strncmp(path, recording->path, recording->path_length) != 0) continue;
        for (int index = 0; index < VFS_FILE_COUNT; index++) {
            if (strcmp(path + recording->path_length, suffixes[index]) == 0) {
                *file = (vfs_file)index;
                return recording;
            }
        }
    }
    return NULL;
}

/// Call with the lock held.
static int record(
    vfs_recording *recording, vfs_operation_kind kind, vfs_file file, int64_t offset, const void *bytes, int64_t size) {
    if (recording->count == recording->capacity) {
        int64_t capacity = recording->capacity == 0 ? 4096 : 2 * recording->capacity;
        vfs_operation *grown = realloc(recording->operations, (size_t)capacity * sizeof *grown);
        if (grown == NULL) return SQLITE_NOMEM;
        recording->operations = grown;
        recording->capacity = capacity;
    }
    uint8_t *copy = NULL;
    if (size > 0) {
        copy = malloc((size_t)size);
        if (copy == NULL) return SQLITE_NOMEM;
        memcpy(copy, bytes, (size_t)size);
    }
    recording->operations[recording->count++] = (vfs_operation){kind, file, offset, size, copy};
    return SQLITE_OK;
}

typedef struct {
    sqlite3_file base;
    vfs_recording *recording;
    vfs_file file;
    int generation;
} recorded_file;

/// The default VFS's own file stands behind ours.
static sqlite3_file *real(sqlite3_file *file) {
    return (sqlite3_file *)((recorded_file *)file + 1);
}

static bool is_cut_off(recorded_file *file) {
    pthread_mutex_lock(&lock);
    bool result = file->generation != file->recording->generation;
    pthread_mutex_unlock(&lock);
    return result;
}

static int recorded_close(sqlite3_file *file) {
    return real(file)->pMethods->xClose(real(file));
}

static int recorded_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
    if (is_cut_off((recorded_file *)file)) return SQLITE_IOERR_READ;
    return real(file)->pMethods->xRead(real(file), bytes, size, offset);
}

static int recorded_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    recorded_file *own = (recorded_file *)file;
    pthread_mutex_lock(&lock);
    int code = SQLITE_IOERR_WRITE;
    if (own->generation == own->recording->generation) {
        code = real(file)->pMethods->xWrite(real(file), bytes, size, offset);
        if (code == SQLITE_OK) code = record(own->recording, VFS_WRITE, own->file, offset, bytes, size);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static int recorded_truncate(sqlite3_file *file, sqlite3_int64 size) {
    recorded_file *own = (recorded_file *)file;
    pthread_mutex_lock(&lock);
    int code = SQLITE_IOERR_TRUNCATE;
    if (own->generation == own->recording->generation) {
        code = real(file)->pMethods->xTruncate(real(file), size);
        if (code == SQLITE_OK) code = record(own->recording, VFS_TRUNCATE, own->file, size, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static int recorded_sync(sqlite3_file *file, int flags) {
    recorded_file *own = (recorded_file *)file;
    vfs_recording *recording = own->recording;
    pthread_mutex_lock(&lock);
    int code;
    if (own->generation != recording->generation) {
        code = SQLITE_IOERR_FSYNC;
    } else if (recording->ignores_syncs[own->file]) {
        code = SQLITE_OK;
    } else if (recording->syncs_until_failure == 0) {
        recording->syncs_until_failure = -1;
        recording->has_failed = true;
        code = record(recording, VFS_LOST_SYNC, own->file, 0, NULL, 0);
        if (code == SQLITE_OK) code = SQLITE_IOERR_FSYNC;
    } else {
        if (recording->syncs_until_failure > 0) recording->syncs_until_failure--;
        code = real(file)->pMethods->xSync(real(file), flags);
        if (code == SQLITE_OK) code = record(recording, VFS_SYNC, own->file, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static int recorded_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    if (is_cut_off((recorded_file *)file)) return SQLITE_IOERR_FSTAT;
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int recorded_lock(sqlite3_file *file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
}

static int recorded_unlock(sqlite3_file *file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int recorded_check_reserved_lock(sqlite3_file *file, int *result) {
    return real(file)->pMethods->xCheckReservedLock(real(file), result);
}

static int recorded_file_control(sqlite3_file *file, int operation, void *argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int recorded_sector_size(sqlite3_file *file) {
    return real(file)->pMethods->xSectorSize(real(file));
}

static int recorded_device_characteristics(sqlite3_file *file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int recorded_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **pointer) {
    return real(file)->pMethods->xShmMap(real(file), region, size, extend, pointer);
}

static int recorded_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void recorded_shm_barrier(sqlite3_file *file) {
    real(file)->pMethods->xShmBarrier(real(file));
}

static int recorded_shm_unmap(sqlite3_file *file, int deletes) {
    return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

// Version 2: without memory-mapped pages, which could be written past us.
static const sqlite3_io_methods recorded_methods = {
    2, recorded_close, recorded_read, recorded_write, recorded_truncate, recorded_sync, recorded_file_size,
    recorded_lock, recorded_unlock, recorded_check_reserved_lock, recorded_file_control, recorded_sector_size,
    recorded_device_characteristics, recorded_shm_map, recorded_shm_lock, recorded_shm_barrier, recorded_shm_unmap,
    NULL, NULL,
};

static int open_recorded(
    vfs_recording *recording, vfs_file kind, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    recorded_file *own = (recorded_file *)file;
    int was_there = 0;
    int code = base_vfs->xAccess(base_vfs, path, SQLITE_ACCESS_EXISTS, &was_there);
    if (code != SQLITE_OK) return code;
    code = base_vfs->xOpen(base_vfs, path, real(file), flags, out_flags);
    if (code != SQLITE_OK) {
        if (real(file)->pMethods != NULL) real(file)->pMethods->xClose(real(file));
        return code;
    }
    own->base.pMethods = &recorded_methods;
    own->recording = recording;
    own->file = kind;
    own->generation = recording->generation;
    return was_there ? SQLITE_OK : record(recording, VFS_CREATE, kind, 0, NULL, 0);
}

vfs_recording *vfs_recording_start(const char *database_path) {
    vfs_recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL) return NULL;
    recording->path = strdup(database_path);
    if (recording->path == NULL) {
        free(recording);
        return NULL;
    }
    recording->path_length = strlen(database_path);
    recording->syncs_until_failure = -1;
    pthread_mutex_lock(&lock);
    recording->next = recordings;
    recordings = recording;
    pthread_mutex_unlock(&lock);
    return recording;
}

int64_t vfs_recording_count(vfs_recording *recording) {
    pthread_mutex_lock(&lock);
    int64_t count = recording->count;
    pthread_mutex_unlock(&lock);
    return count;
}

vfs_operation vfs_recording_operation(vfs_recording *recording, int64_t index) {
    pthread_mutex_lock(&lock);
    vfs_operation operation = recording->operations[index];
    pthread_mutex_unlock(&lock);
    return operation;
}

void vfs_recording_ignore_syncs(vfs_recording *recording, vfs_file file) {
    pthread_mutex_lock(&lock);
    recording->ignores_syncs[file] = true;
    pthread_mutex_unlock(&lock);
}

void vfs_recording_fail_sync(vfs_recording *recording, int64_t count) {
    pthread_mutex_lock(&lock);
    recording->syncs_until_failure = count;
    pthread_mutex_unlock(&lock);
}

bool vfs_recording_has_failed(vfs_recording *recording) {
    pthread_mutex_lock(&lock);
    bool result = recording->has_failed;
    pthread_mutex_unlock(&lock);
    return result;
}

void vfs_recording_cut_off(vfs_recording *recording) {
    pthread_mutex_lock(&lock);
    recording->generation++;
    pthread_mutex_unlock(&lock);
}

void vfs_recording_free(vfs_recording *recording) {
    pthread_mutex_lock(&lock);
    for (vfs_recording **link = &recordings; *link != NULL; link = &(*link)->next) {
        if (*link == recording) {
            *link = recording->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    for (int64_t index = 0; index < recording->count; index++) free((void *)recording->operations[index].bytes);
    free(recording->operations);
    free(recording->path);
    free(recording);
}

// MARK: Images

/// The image that a path belongs to, and which of its files. Call with the lock held.
static vfs_image *image_of(const char *path, vfs_file *file) {
    if (path == NULL || strncmp(path, IMAGE_PREFIX, strlen(IMAGE_PREFIX)) != 0) return NULL;
    for (int number = 0; number < IMAGE_CAPACITY; number++) {
        vfs_image *image = images[number];
        if (image == NULL || strncmp(path, image->path, strlen(image->path)) != 0) continue;
        for (int index = 0; index < VFS_FILE_COUNT; index++) {
            if (strcmp(path + strlen(image->path), suffixes[index]) == 0) {
                *file = (vfs_file)index;
                return image;
            }
        }
    }
    return NULL;
}

static bool resize(image_file *file, int64_t size) {
    if (size > file->capacity) {
        int64_t capacity = size + size / 2 + 4096;
        uint8_t *grown = realloc(file->bytes, (size_t)capacity);
        if (grown == NULL) return false;
        file->bytes = grown;
        file->capacity = capacity;
    }
    file->size = size;
    file->is_there = true;
    return true;
}

typedef struct {
    sqlite3_file base;
    image_file *content;
    // The index of the log, which each connection makes for itself.
    void *shm_regions[SHM_REGION_CAPACITY];
} opened_image_file;

static int image_shm_unmap(sqlite3_file *file, int deletes) {
    (void)deletes;
    opened_image_file *own = (opened_image_file *)file;
    for (int region = 0; region < SHM_REGION_CAPACITY; region++) {
        free(own->shm_regions[region]);
        own->shm_regions[region] = NULL;
    }
    return SQLITE_OK;
}

static int image_close(sqlite3_file *file) {
    return image_shm_unmap(file, 0);
}

static int image_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
    const image_file *content = ((opened_image_file *)file)->content;
    int64_t there = content->size > offset ? content->size - offset : 0;
    if (there > size) there = size;
    if (there > 0) memcpy(bytes, content->bytes + offset, (size_t)there);
    if (there == size) return SQLITE_OK;
    memset((uint8_t *)bytes + there, 0, (size_t)(size - there));
    return SQLITE_IOERR_SHORT_READ;
}

static int image_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    image_file *content = ((opened_image_file *)file)->content;
    int64_t old_size = content->size;
    if (offset + size > old_size) {
        if (!resize(content, offset + size)) return SQLITE_NOMEM;
        if (offset > old_size) memset(content->bytes + old_size, 0, (size_t)(offset - old_size));
    }
    memcpy(content->bytes + offset, bytes, (size_t)size);
    return SQLITE_OK;
}

static int image_truncate(sqlite3_file *file, sqlite3_int64 size) {
    image_file *content = ((opened_image_file *)file)->content;
    if (size < content->size) content->size = size;
    return SQLITE_OK;
}

static int image_sync(sqlite3_file *file, int flags) {
    (void)file, (void)flags;
    return SQLITE_OK;
}

static int image_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    *size = ((opened_image_file *)file)->content->size;
    return SQLITE_OK;
}

static int image_lock(sqlite3_file *file, int level) {
    (void)file, (void)level;
    return SQLITE_OK;
}

static int image_check_reserved_lock(sqlite3_file *file, int *result) {
    (void)file;
    *result = 0;
    return SQLITE_OK;
}

static int image_file_control(sqlite3_file *file, int operation, void *argument) {
    (void)file, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int image_sector_size(sqlite3_file *file) {
    (void)file;
    return 4096;
}

static int image_device_characteristics(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int image_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **pointer) {
    opened_image_file *own = (opened_image_file *)file;
    *pointer = NULL;
    if (region >= SHM_REGION_CAPACITY) return SQLITE_FULL;
    if (own->shm_regions[region] == NULL && extend) {
        own->shm_regions[region] = calloc(1, (size_t)size);
        if (own->shm_regions[region] == NULL) return SQLITE_NOMEM;
    }
    *pointer = own->shm_regions[region];
    return SQLITE_OK;
}

static int image_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    (void)file, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void image_shm_barrier(sqlite3_file *file) {
    (void)file;
}

static const sqlite3_io_methods image_methods = {
    2, image_close, image_read, image_write, image_truncate, image_sync, image_file_size, image_lock, image_lock,
    image_check_reserved_lock, image_file_control, image_sector_size, image_device_characteristics, image_shm_map,
    image_shm_lock, image_shm_barrier, image_shm_unmap, NULL, NULL,
};

static int open_image(vfs_image *image, vfs_file kind, sqlite3_file *file, int flags, int *out_flags) {
    opened_image_file *own = (opened_image_file *)file;
    image_file *content = &image->files[kind];
    if (!content->is_there) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        if (!resize(content, 0)) return SQLITE_NOMEM;
    }
    memset(own, 0, sizeof *own);
    own->base.pMethods = &image_methods;
    own->content = content;
    if (out_flags != NULL) *out_flags = flags;
    return SQLITE_OK;
}

vfs_image *vfs_image_create(void) {
    vfs_image *image = calloc(1, sizeof *image);
    if (image == NULL) return NULL;
    pthread_mutex_lock(&lock);
    int number = 0;
    while (number < IMAGE_CAPACITY && images[number] != NULL) number++;
    if (number < IMAGE_CAPACITY) images[number] = image;
    pthread_mutex_unlock(&lock);
    if (number == IMAGE_CAPACITY) {
        free(image);
        return NULL;
    }
    image->number = number;
    // A name that is the beginning of no other.
    snprintf(image->path, sizeof image->path, IMAGE_PREFIX "%03d.db", number);
    return image;
}

const char *vfs_image_path(const vfs_image *image) {
    return image->path;
}

uint8_t *vfs_image_resize(vfs_image *image, vfs_file file, int64_t size) {
    if (size < 0) {
        image->files[file].is_there = false;
        image->files[file].size = 0;
        return NULL;
    }
    return resize(&image->files[file], size) ? image->files[file].bytes : NULL;
}

void vfs_image_free(vfs_image *image) {
    pthread_mutex_lock(&lock);
    images[image->number] = NULL;
    pthread_mutex_unlock(&lock);
    for (int file = 0; file < VFS_FILE_COUNT; file++) free(image->files[file].bytes);
    free(image);
}

// MARK: The VFS

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    (void)vfs;
    vfs_file kind;
    file->pMethods = NULL;
    pthread_mutex_lock(&lock);
    vfs_image *image = image_of(path, &kind);
    vfs_recording *recording = image == NULL ? recording_of(path, &kind) : NULL;
    int code = SQLITE_OK;
    if (image != NULL) code = open_image(image, kind, file, flags, out_flags);
    if (recording != NULL) code = open_recorded(recording, kind, path, file, flags, out_flags);
    pthread_mutex_unlock(&lock);
    if (image != NULL || recording != NULL) return code;
    return base_vfs->xOpen(base_vfs, path, file, flags, out_flags);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_folder) {
    (void)vfs;
    vfs_file kind;
    pthread_mutex_lock(&lock);
    vfs_image *image = image_of(path, &kind);
    if (image != NULL) {
        vfs_image_resize(image, kind, -1);
        pthread_mutex_unlock(&lock);
        return SQLITE_OK;
    }
    vfs_recording *recording = recording_of(path, &kind);
    int code = base_vfs->xDelete(base_vfs, path, syncs_folder);
    if (code == SQLITE_OK && recording != NULL) code = record(recording, VFS_DELETE, kind, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    (void)vfs;
    vfs_file kind;
    pthread_mutex_lock(&lock);
    vfs_image *image = image_of(path, &kind);
    // As for SQLite's own: an empty file does not count as there.
    if (image != NULL) *result = image->files[kind].is_there && image->files[kind].size > 0;
    pthread_mutex_unlock(&lock);
    return image != NULL ? SQLITE_OK : base_vfs->xAccess(base_vfs, path, flags, result);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *full) {
    (void)vfs;
    if (strncmp(path, IMAGE_PREFIX, strlen(IMAGE_PREFIX)) != 0) {
        return base_vfs->xFullPathname(base_vfs, path, size, full);
    }
    if (strlen(path) >= (size_t)size) return SQLITE_CANTOPEN;
    strcpy(full, path);
    return SQLITE_OK;
}

static void install(void) {
    base_vfs = sqlite3_vfs_find(NULL);
    if (base_vfs == NULL) return;
    // What is not ours goes to the default VFS, its own data included.
    recording_vfs = *base_vfs;
    int size = (int)sizeof(recorded_file) + base_vfs->szOsFile;
    if (size < (int)sizeof(opened_image_file)) size = (int)sizeof(opened_image_file);
    recording_vfs.szOsFile = size;
    recording_vfs.pNext = NULL;
    recording_vfs.zName = "hongbao-recording";
    recording_vfs.xOpen = vfs_open;
    recording_vfs.xDelete = vfs_delete;
    recording_vfs.xAccess = vfs_access;
    recording_vfs.xFullPathname = vfs_full_pathname;
    if (sqlite3_vfs_register(&recording_vfs, 1) != SQLITE_OK) base_vfs = NULL;
}

bool vfs_install(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    return base_vfs != NULL;
}
