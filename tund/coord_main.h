/* tund-coord's subcommands. */
#ifndef TUND_COORD_MAIN_H
#define TUND_COORD_MAIN_H

/* Gives the exit code (enum coord_exit). */
int coord_main(int argc, char **argv);

#endif
