#include "../lwip/stack.h"
#include "http.h"
#include "tcp.h"

int app_tcp_start(struct app *a)
{
    int err = bridge_lwip_start(a->bridge);

    return err ? err : app_http_start(a);
}
