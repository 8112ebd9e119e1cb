/* A layer between SQLite and the disk that counts what changes it, and at the k-th such call
 *   FAULT_ERROR  answers with an error, once, and goes on (a full disk, a bad sector)
 *   FAULT_CUT    cuts the power: this call and all after it fail, and fault_power_back() leaves on
 *                disk what was synced, and of the rest any sectors of 512 bytes, in any order
 * One database at a time, four files at most. */
#ifndef TUND_COORD_FAULT_VFS_H
#define TUND_COORD_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_mode { FAULT_NONE, FAULT_ERROR, FAULT_CUT };

/* From now on new connections go through the layer. `at` counts from 1; with FAULT_NONE calls are
 * only counted. `rc` is SQLite's code of an error; the seed chooses what a power cut leaves. */
void fault_begin(enum fault_mode mode, int at, int rc, uint64_t seed);
void fault_end(void);
int fault_calls(void);
bool fault_tripped(void);
void fault_cut_next(void); /* the next call is the one */
/* Call it between the last close and fault_end. */
void fault_power_back(const char *database);

#endif
