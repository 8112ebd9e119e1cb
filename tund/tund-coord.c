/* The coordinator. All of it is in coord_main.c and what that names, where tests reach it. */
#include "coord_main.h"

int main(int argc, char **argv)
{
    return coord_main(argc, argv);
}
