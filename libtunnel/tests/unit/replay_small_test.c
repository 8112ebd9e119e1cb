/* The same tests with the window of a microcontroller: the names that are compiled here hide those
 * of the library. */
#define TN_REPLAY_BITS 64
#include "../../wg/replay.c"

#include "replay_test.c"
