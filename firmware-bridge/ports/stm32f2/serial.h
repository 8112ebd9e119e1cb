/* The interrupt handlers of the serial lines (serial.c), for the vector table. */
#ifndef SERIAL_H
#define SERIAL_H

void serial_init(void);
void serial_on_usart1(void);
void serial_on_usart3(void);

#endif
