#ifndef C_RECORDING_VFS_H
#define C_RECORDING_VFS_H

#include <stdbool.h>
#include <stdint.h>

// A SQLite VFS over the default one, itself registered as the default. It records what SQLite does to the files of a
// database, and it serves databases that exist in memory only. All other files pass through untouched.

/// The files of one database, by what their names end with.
typedef enum {
    VFS_FILE_DATABASE = 0,
    VFS_FILE_LOG = 1,      // -wal
    VFS_FILE_JOURNAL = 2,  // -journal
} vfs_file;

#define VFS_FILE_COUNT 3

typedef enum {
    /// The file was not there before.
    VFS_CREATE = 0,
    VFS_WRITE = 1,
    /// To `offset` bytes.
    VFS_TRUNCATE = 2,
    /// Returned without an error.
    VFS_SYNC = 3,
    /// Returned an error. What it should have flushed counts as flushed for the kernel, and may never reach the disk.
    VFS_LOST_SYNC = 4,
    VFS_DELETE = 5,
} vfs_operation_kind;

typedef struct {
    vfs_operation_kind kind;
    vfs_file file;
    int64_t offset;
    int64_t size;
    const uint8_t *bytes;
} vfs_operation;

/// Registers the VFS. May be called any number of times, from any thread.
///
/// Returns false when SQLite refuses.
bool vfs_install(void);

// MARK: Recording

/// What was done to the files of one database. Safe to use from several threads.
typedef struct vfs_recording vfs_recording;

/// Records from now on what connections do that are opened from now on.
///
/// `database_path` is absolute and without symbolic links.
vfs_recording *vfs_recording_start(const char *database_path);

int64_t vfs_recording_count(vfs_recording *recording);

/// An operation by its index. Its bytes stay until the recording is freed.
vfs_operation vfs_recording_operation(vfs_recording *recording, int64_t index);

/// Syncs of this file return at once and do nothing, as on a disk that lies.
void vfs_recording_ignore_syncs(vfs_recording *recording, vfs_file file);

/// The sync of any file after `count` others, counted from now, fails.
void vfs_recording_fail_sync(vfs_recording *recording, int64_t count);

/// Whether the sync that was to fail has failed.
bool vfs_recording_has_failed(vfs_recording *recording);

/// Connections that are open now can neither read nor write any more, as if their process were dead.
void vfs_recording_cut_off(vfs_recording *recording);

/// Records no more. Every connection to its files must be closed.
void vfs_recording_free(vfs_recording *recording);

// MARK: Images

/// A database in memory, opened under a path of its own. One connection may change it; others see what it was like when
/// they were opened.
typedef struct vfs_image vfs_image;

vfs_image *vfs_image_create(void);

/// Opening this with SQLite's default VFS opens the image.
const char *vfs_image_path(const vfs_image *image);

/// Makes a file `size` bytes long and returns its bytes, which are of no particular content. A negative size takes the
/// file away.
uint8_t *vfs_image_resize(vfs_image *image, vfs_file file, int64_t size);

/// Every connection to it must be closed.
void vfs_image_free(vfs_image *image);

#endif
