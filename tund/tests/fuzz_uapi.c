/* The userspace API's text: whatever comes, every operation that is taken is within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tund/uapi_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_op(const struct uapi_op *op)
{
    switch (op->kind) {
    case UAPI_LISTEN_PORT:
    case UAPI_KEEPALIVE:
        check(op->number <= UINT16_MAX);
        break;
    case UAPI_PROTOCOL_VERSION:
        check(op->number == 1);
        break;
    case UAPI_ENDPOINT:
        check(op->addr.port != 0);
        break;
    case UAPI_ALLOWED_IP:
        check(op->bits <= (op->v4 ? 32 : 128));
        check(op->addr.port == 0);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    struct uapi_parser p;
    struct uapi_op op;
    size_t len, lines = 0;

    if (!text)
        return 0;
    memcpy(text, data, size);
    len = uapi_request_len(text, size);
    check(len <= size);
    if (!len)
        len = size;
    if (!uapi_parser_init(&p, text, len)) {
        while (uapi_parser_next(&p, &op) > 0) {
            check_op(&op);
            check(++lines <= len);
        }
    }
    free(text);
    return 0;
}
