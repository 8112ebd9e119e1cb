#ifndef TUND_MEMORY_H
#define TUND_MEMORY_H

#ifdef __cplusplus
extern "C" {
#endif
struct bridge *tund_memory(void);
#ifdef __cplusplus
}
#endif

#endif
