/* How it works: get answers with the state, set changes it; both end with errno=N, N being
 * zero or a negative errno as wireguard-go gives. An overlay node's peers come from its
 * verified roster, so there set is refused (EPERM), and get serves `wg show`. */
#include "uapi.h"

#include <errno.h>

#include "uapi_answer.h"
#include "uapi_parse.h"
#include "uapi_set.h"

static int get(const struct tund *t, struct uapi_parser *p, struct uapi_text *answer)
{
    struct uapi_op op;
    int err = uapi_parser_next(p, &op);

    if (err)
        return err;
    uapi_answer_get(t, answer);
    return 0;
}

void uapi_handle(struct tund *t, const char *request, size_t len, struct uapi_text *answer)
{
    struct uapi_parser p;
    int err = uapi_parser_init(&p, request, len);

    if (!err && p.is_get)
        err = get(t, &p, answer);
    else if (!err)
        err = t->opt.state_dir ? -EPERM : uapi_set(t, &p);
    uapi_text_add(answer, "errno=%d\n\n", err);
}
