/* A stream's bytes, and a proxy's answer: frames are cut from any bytes, and every frame that is found lies
 * within them; a queue of few bytes keeps its frames whole. */
#include <stdlib.h>
#include <string.h>

#include "tund/frames.h"
#include "tund/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size);

static void must(int yes)
{
    if (!yes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size)
{
    static uint8_t mem[FRAME_MAX], out[FRAME_MAX];
    uint8_t *copy = malloc(size ? size : 1), *data;
    struct frame_queue q;
    size_t done = 0, len;
    ssize_t n;

    must(copy != NULL);
    memcpy(copy, in, size);
    frame_queue_init(&q, mem, sizeof(mem));
    while ((n = frame_next(copy + done, size - done, &data, &len)) > 0) {
        must(len > 0 && data == copy + done + FRAME_HEADER_LEN && (size_t)n <= size - done);
        must(frame_queue_push(&q, data, len) == 0);
        if (len % 3 == 0) {
            size_t taken = frame_queue_take(&q, out, len);

            must(taken <= len && q.used <= q.cap);
        }
        done += (size_t)n;
    }
    n = proxy_answer(in, size);
    must(n <= 0 || (n >= 100 && n < 600));
    free(copy);
    return 0;
}
