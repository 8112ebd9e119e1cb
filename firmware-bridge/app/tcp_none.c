#include "tcp.h"

int app_tcp_start(struct app *a)
{
    return 0;
}
